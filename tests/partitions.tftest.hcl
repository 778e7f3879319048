# The China Regions: another partition in every ARN that the module puts together itself.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws-cn" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "210987654321" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws-cn:events:cn-north-1:210987654321:rule/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws-cn:logs:cn-north-1:210987654321:log-group:mock" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws-cn:iam::210987654321:role/mock" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws-cn:lambda:cn-north-1:210987654321:function:mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws-cn:sns:cn-north-1:210987654321:mock" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws-cn:sqs:cn-north-1:210987654321:mock" }
  }
}

run "china" {
  variables {
    name = "reporter"
    chat = true
  }

  assert {
    condition = (
      local.repositories_arn == "arn:aws-cn:ecr:cn-north-1:210987654321:repository/*" &&
      local.topic_arns == {
        reports = "arn:aws-cn:sns:cn-north-1:210987654321:reporter-reports"
        chat    = "arn:aws-cn:sns:cn-north-1:210987654321:reporter-chat"
      } &&
      local.queue_arns == {
        images      = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-images"
        images_dlq  = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-images-dlq"
        reports     = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-reports"
        reports_dlq = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-reports-dlq"
      }
    )
    error_message = "ARNs are of the partition, the Region and the account that the module is applied to."
  }

  assert {
    condition = !strcontains(join(" ", [
      aws_sqs_queue.images.policy, aws_sqs_queue.images.redrive_policy,
      aws_sqs_queue.images_dlq.policy, aws_sqs_queue.images_dlq.redrive_allow_policy,
      aws_sqs_queue.reports.policy, aws_sqs_queue.reports.redrive_policy,
      aws_sqs_queue.reports_dlq.policy, aws_sqs_queue.reports_dlq.redrive_allow_policy,
      aws_sns_topic.reports.policy, aws_sns_topic.chat[0].policy, module.repositories_scanner.policy.policy,
      module.images_scanner.policy.policy, module.reporter.policy.policy,
    ]), "arn:aws:")
    error_message = "No policy names the partition aws."
  }

  assert {
    condition     = !strcontains(module.reporter.policy.policy, "amazonaws.com.cn") && aws_lambda_permission.schedule.principal == "events.amazonaws.com"
    error_message = "Service principals are the same in every partition."
  }
}
