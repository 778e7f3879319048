# The China Regions: another partition in every ARN that the module puts together itself.

mock_provider "aws" {
  mock_data "aws_service" {
    defaults = { partition = "aws-cn", region = "cn-north-1" }
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
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws-cn:dynamodb:cn-north-1:210987654321:table/mock" }
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
      local.arns.repositories == "arn:aws-cn:ecr:cn-north-1:210987654321:repository/*" &&
      jsondecode(aws_sns_topic.reports[0].policy).Statement[0].Resource == "arn:aws-cn:sns:cn-north-1:210987654321:reporter-reports" &&
      jsondecode(aws_sns_topic.chat[0].policy).Statement[0].Resource == "arn:aws-cn:sns:cn-north-1:210987654321:reporter-chat" &&
      jsondecode(aws_sns_topic.alarms[0].policy).Statement[1].Condition.ArnLike["aws:SourceArn"] == (
        "arn:aws-cn:cloudwatch:cn-north-1:210987654321:alarm:reporter-*"
      ) &&
      { for name, queue in {
        images      = module.images_queue.queue
        images_dlq  = module.images_queue.dlq
        reports     = module.reports_queue.queue
        reports_dlq = module.reports_queue.dlq
        } : name => jsondecode(queue.policy).Statement[0].Resource
        } == {
        images      = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-images"
        images_dlq  = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-images-dlq"
        reports     = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-reports"
        reports_dlq = "arn:aws-cn:sqs:cn-north-1:210987654321:reporter-reports-dlq"
      }
    )
    error_message = "ARNs should have the partition, the Region and the account that the module is applied to."
  }

  assert {
    condition = !strcontains(join(" ", [
      module.images_queue.queue.policy, module.images_queue.queue.redrive_policy,
      module.images_queue.dlq.policy, module.images_queue.dlq.redrive_allow_policy,
      module.reports_queue.queue.policy, module.reports_queue.queue.redrive_policy,
      module.reports_queue.dlq.policy, module.reports_queue.dlq.redrive_allow_policy,
      aws_sns_topic.reports[0].policy, aws_sns_topic.chat[0].policy, aws_sns_topic.alarms[0].policy,
      module.repositories_scanner.policy.policy,
      module.images_scanner.policy.policy, module.reporter.policy.policy,
    ]), "arn:aws:")
    error_message = "No policy should name the partition aws."
  }

  assert {
    condition = (
      !strcontains(module.reporter.policy.policy, "amazonaws.com.cn") &&
      aws_lambda_permission.schedule.principal == "events.amazonaws.com"
    )
    error_message = "Service principals should be the same in every partition."
  }
}
