# Posts the reports to a Slack channel, through Amazon Q Developer in chat applications (formerly AWS Chatbot). Grant it
# access to the Slack workspace once, in its console.

data "aws_partition" "current" {}

module "ecr_scan_reporter" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  log_retention_days = 365

  chat = true
}

resource "aws_chatbot_slack_channel_configuration" "reports" {
  count = var.slack_channel == null ? 0 : 1

  configuration_name = "ecr-scan-reports"
  slack_team_id      = var.slack_channel.team_id
  slack_channel_id   = var.slack_channel.channel_id
  sns_topic_arns     = [module.ecr_scan_reporter.chat_topic_arn]
  iam_role_arn       = aws_iam_role.chat.arn

  # Members of the channel can read reports, but cannot run anything in this account.
  guardrail_policy_arns = ["arn:${data.aws_partition.current.partition}:iam::aws:policy/AWSDenyAll"]
}

# A channel must have a role. Reports need no permissions, so it has none.
resource "aws_iam_role" "chat" {
  name = "ecr-scan-reports-chat"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ShowReports"
      Effect    = "Allow"
      Principal = { Service = "chatbot.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}
