# Two instances side by side in one account and Region: a strict one for what runs in production, with every input
# set, and a lenient one for all other repositories.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

provider "aws" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The queue of a ticket system, which makes a ticket of each report.
resource "aws_sqs_queue" "tickets" {
  name                    = "ecr-scan-tickets"
  sqs_managed_sse_enabled = true
}

# A queue takes no message from a topic that its policy does not name.
resource "aws_sqs_queue_policy" "tickets" {
  queue_url = aws_sqs_queue.tickets.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TakeReports"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.tickets.arn
      Condition = { ArnEquals = { "aws:SourceArn" = module.production.reports_topic_arn } }
    }]
  })
}

module "production" {
  # Outside of this repository, from the Terraform Registry:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  # All resources are named after it: production-images-scanner, production-reports and so on.
  name = "production"

  # False pauses both the runs and the reports, and leaves everything in place.
  enabled = true

  # At four in the morning UTC.
  rate = "cron(0 4 * * ? *)"

  # A Python regular expression, which the name must match from its start.
  repositories_filter_regexp = "production/"

  # Matched from the start as well; what it takes is left out.
  repositories_exclude_regexp = "production/(mirror|cache)/"

  # Of each repository the twenty images pushed last that carry a version as their tag.
  images_selection = {
    tagged_only   = true
    tag_regexp    = "v?[0-9]+\\."
    newest        = 20
    pushed_within = "6m"
    pulled_within = "3m"
  }

  # An image whose last scan is older than three days is scanned again.
  images_duration_delta = "3d"

  # AWS asks this address to confirm before it gets anything else.
  email = "security@example.com"

  # Beside that address: a queue, which takes the message as it was published, without SNS's envelope, and an address
  # that is told only where a scan failed.
  subscriptions = {
    tickets = {
      protocol             = "sqs"
      endpoint             = aws_sqs_queue.tickets.arn
      raw_message_delivery = true
    }
    platform = {
      protocol            = "email"
      endpoint            = "platform@example.com"
      filter_policy       = jsonencode({ failed_scans = [{ numeric = [">", 0] }] })
      filter_policy_scope = "MessageAttributes"
    }
  }

  # For Slack or Microsoft Teams: configure a channel of Amazon Q Developer with the topic in chat_topic_arn.
  chat = true

  # What ends within five minutes, the longest there is, is one report...
  report_window = 300

  # ...for each team, which is the second part of a name such as production/payments/api.
  group_by = "^production/([^/]+)/"

  # Reported from one critical, one high (the default) or ten medium findings; low and all others are off.
  severity_thresholds = {
    CRITICAL = 1
    MEDIUM   = 10
  }

  # A finding that nobody can do anything about yet does not count.
  fixable_only = true

  # An image that cannot be scanned is worth knowing of.
  notify_on_scan_failure = true

  functions = {
    # Never two runs at a time.
    repositories_scanner = { memory = 256, timeout = 600, concurrency = 1, threads = 16 }
    # Ten repositories at a time.
    images_scanner = { memory = 512, timeout = 900, concurrency = 10, threads = 16 }
    reporter       = { memory = 512, timeout = 300, concurrency = 2 }
  }

  # For all functions, beside those that the module sets: here boto3's own retries.
  environment_variables = {
    AWS_MAX_ATTEMPTS = "5"
  }

  log_retention_days = 90

  # For accounts in which every role needs one.
  permissions_boundary = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/boundary"

  tags = {
    team        = "security"
    environment = "production"
  }
}

module "others" {
  source = "../../"

  name                       = "others"
  rate                       = "7 days"
  repositories_filter_regexp = "(?!production/)"
  images_duration_delta      = "1m"

  # Critical findings alone: HIGH is on unless it is turned off.
  severity_thresholds    = { HIGH = null }
  notify_on_scan_failure = false
}
