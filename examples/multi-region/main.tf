# Scans the registries of two Regions. ECR, its events and everything that the module creates belong to one Region,
# except IAM roles, which need different names. One queue receives the reports of both.

locals {
  reports = {
    protocol             = "sqs"
    endpoint             = aws_sqs_queue.reports.arn
    raw_message_delivery = true
  }
}

module "frankfurt" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  log_retention_days = 365

  name           = "ecr-scan-reporter-frankfurt"
  subject_prefix = "[ECR Frankfurt]"
  subscriptions  = { reports = local.reports }
}

module "ireland" {
  source = "../../"

  log_retention_days = 365

  providers = {
    aws = aws.ireland
  }

  name           = "ecr-scan-reporter-ireland"
  subject_prefix = "[ECR Ireland]"
  subscriptions  = { reports = local.reports }
}

resource "aws_sqs_queue" "reports" {
  name                    = "ecr-scan-reports"
  sqs_managed_sse_enabled = true
}

# A queue accepts messages from a topic only if its policy allows them; the topic may be in another Region.
resource "aws_sqs_queue_policy" "reports" {
  queue_url = aws_sqs_queue.reports.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AllowReports"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.reports.arn
      Condition = {
        ArnEquals = { "aws:SourceArn" = [module.frankfurt.reports_topic_arn, module.ireland.reports_topic_arn] }
      }
    }]
  })
}
