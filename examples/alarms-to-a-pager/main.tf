# Pages whoever is on call when the module itself stops working: a message in a dead-letter queue, a function that
# fails, a scan that is overdue, or a run that did not happen. The reports still go to the team by mail.

data "aws_caller_identity" "current" {}

module "ecr_scan_reporter" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  log_retention_days = 365

  email         = var.email
  alarm_actions = [aws_sns_topic.pager.arn]
}

# The topic of the pager. Other alarms of the account can use it too.
resource "aws_sns_topic" "pager" {
  # checkov:skip=CKV_AWS_26:CloudWatch may not use the AWS managed key of SNS. An alarm holds a name, its description and a number.
  name = "pager"
}

resource "aws_sns_topic_policy" "pager" {
  arn = aws_sns_topic.pager.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.pager.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AllowAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.pager.arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
    ]
  })
}

# Pagers such as PagerDuty and Opsgenie have an address for Amazon SNS or CloudWatch, and confirm the subscription
# themselves.
resource "aws_sns_topic_subscription" "pager" {
  count = var.pager_url == null ? 0 : 1

  topic_arn              = aws_sns_topic.pager.arn
  protocol               = "https"
  endpoint               = var.pager_url
  endpoint_auto_confirms = true
}
