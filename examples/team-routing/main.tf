# Sends each team the reports of its own repositories, which begin with the team's name, such as payments/api. A queue
# of the security team receives all reports with new critical findings.

module "ecr_scan_reporter" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  log_retention_days = 365

  # One report per team...
  group_by = "^([^/]+)/"

  # ...which has the team's name as its message attribute `group`. `id` ends in -1 in the first message of a report,
  # which has the whole text for mail. SNS allows 200 filter policies per topic.
  subscriptions = merge(
    { for team, address in var.teams : team => {
      protocol      = "email"
      endpoint      = address
      filter_policy = jsonencode({ group = [team], id = [{ suffix = "-1" }] })
    } },
    {
      critical = {
        protocol             = "sqs"
        endpoint             = aws_sqs_queue.critical.arn
        filter_policy        = jsonencode({ new_critical = [{ numeric = [">", 0] }] })
        raw_message_delivery = true
      }
    },
  )
}

resource "aws_sqs_queue" "critical" {
  name                    = "ecr-critical-findings"
  sqs_managed_sse_enabled = true
}

# A queue accepts messages from a topic only if its policy allows them.
resource "aws_sqs_queue_policy" "critical" {
  queue_url = aws_sqs_queue.critical.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AllowReports"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.critical.arn
      Condition = { ArnEquals = { "aws:SourceArn" = module.ecr_scan_reporter.reports_topic_arn } }
    }]
  })
}
