# Two instances in one account and Region: a strict one for production, with every input set (except reports_topic_arn,
# which replaces email and subscriptions), and a lenient one for all other repositories.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

variable "vpc_config" {
  description = "Subnets and security groups of the functions; null to run them outside of a VPC."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "export_bucket" {
  description = "Name of a bucket for exports; null for none."
  type        = string
  default     = null
}

locals {
  arn_prefix = "arn:${data.aws_partition.current.partition}"
  region     = split(":", aws_sns_topic.pager.arn)[3]
  arn_scope  = "${local.region}:${data.aws_caller_identity.current.account_id}"
}

# The key of both instances. docs/encryption.md explains the statements.
resource "aws_kms_key" "reports" {
  description         = "Encrypts what the instances of ecr-scan-reporter keep."
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AllowAccount"
        Effect    = "Allow"
        Principal = { AWS = "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      # No condition: EventBridge sends KMS neither aws:SourceArn nor aws:SourceAccount.
      {
        Sid       = "AllowScanEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
      },
      {
        Sid       = "AllowAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
        Resource  = "*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
          ArnLike = { "aws:SourceArn" = [for name in ["production", "others"] :
            "${local.arn_prefix}:cloudwatch:${local.arn_scope}:alarm:${name}-*"
          ] }
        }
      },
      {
        Sid       = "AllowLogs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = [for name in ["production", "others"] :
          "${local.arn_prefix}:logs:${local.arn_scope}:log-group:/aws/lambda/${name}-*"
        ] } }
      },
    ]
  })
}

# The topic of a pager. It has no key: the alarms have to arrive even if the key is the problem.
resource "aws_sns_topic" "pager" {
  #checkov:skip=CKV_AWS_26:Alarms have to arrive even if the key is disabled. They hold no findings.
  name = "ecr-scan-pager"
}

# The queue of a ticket system, which creates a ticket for each report.
resource "aws_sqs_queue" "tickets" {
  name                    = "ecr-scan-tickets"
  sqs_managed_sse_enabled = true
}

# A queue accepts messages from a topic only if its policy allows them.
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
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  # All resources are named after it: production-images-scanner, production-reports and so on.
  name = "production"

  # False disables the EventBridge rules and removes the silence alarm. All other resources stay.
  enabled = true

  # At four in the morning UTC.
  rate = "cron(0 4 * * ? *)"

  # A Python regular expression, matched from the start of the repository name.
  repositories_filter_regexp = "production/"

  # Also matched from the start; matching repositories are skipped.
  repositories_exclude_regexp = "production/(mirror|cache)/"

  # The twenty most recently pushed images of each repository that have a version tag.
  images_selection = {
    tagged_only   = true
    tag_regexp    = "v?[0-9]+\\."
    newest        = 20
    pushed_within = "6m"
    pulled_within = "3m"
  }

  # An image whose last scan is older than three days is scanned again.
  images_duration_delta = "3d"

  # AWS asks this address for confirmation first.
  email = "security@example.com"

  # Additional subscribers: a queue that receives each message without the SNS envelope, and an address that receives
  # only the reports with failed scans, without overviews, and only the first message of each: it has the whole text.
  subscriptions = {
    tickets = {
      protocol             = "sqs"
      endpoint             = aws_sqs_queue.tickets.arn
      raw_message_delivery = true
    }
    platform = {
      protocol = "email"
      endpoint = "platform@example.com"
      filter_policy = jsonencode({
        failed_scans = [{ numeric = [">", 0] }]
        kind         = [{ exists = false }]
        id           = [{ suffix = "-1" }]
      })
      filter_policy_scope = "MessageAttributes"
    }
  }

  # For Slack or Microsoft Teams: configure a channel of Amazon Q Developer with the topic in chat_topic_arn.
  chat = true

  # What tells the messages of this instance apart, and whom they name for questions.
  subject_prefix = "[ECR production]"
  account_name   = "workloads"
  contact        = "platform-team@example.com"

  # Scans that the module did not start, such as scans on push, share a report if they end within five minutes...
  report_window = 300

  # ...one report per team, the second part of a name such as production/payments/api.
  group_by = "^production/([^/]+)/"

  # Reports an image with one critical, one high (the default) or ten medium findings; the others are off.
  severity_thresholds = {
    CRITICAL = 1
    MEDIUM   = 10
  }

  # From Friday evening to Monday morning, reports wait; what is newly exploited does not.
  quiet_hours                       = ["FRI 18:00-MON 08:00"]
  quiet_hours_time_zone             = "Europe/Berlin"
  quiet_hours_let_exploited_through = true

  # Ignores findings without a known fix.
  fixable_only = true

  # A critical finding should be fixed within a week, one with a known exploit within three days, and one in CISA's catalog
  # of known exploited vulnerabilities within the days that CISA gives.
  fix_within = {
    CRITICAL  = 7
    EXPLOITED = 3
    KEV       = "catalog"
  }

  # Reads that catalog once a day. These are the defaults of the other two.
  known_exploited       = true
  known_exploited_feed  = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
  ignore_kernel_headers = true

  # Not reported until a fix is known; with expires = "2026-12-31" instead of until_fixed, until that day.
  ignored_findings = [{
    id           = "CVE-2026-1234"
    reason       = "The function is not called."
    owner        = "payments"
    until_fixed  = true
    repositories = "production/payments/"
  }]

  # Reports an image when something changed for the worse...
  notify_on = "changes"

  # ...or for the better...
  notify_on_fixed = true

  # ...or when the last report about it is two weeks old.
  remind_after = "2w"

  # Reports failed scans.
  notify_on_scan_failure = true

  # Every day at seven in the morning UTC, what the state of the registry is.
  overview_schedule = "cron(0 7 * * ? *)"

  # What is open goes to a bucket after each run, if the example's variable names one.
  export_bucket       = var.export_bucket
  export_prefix       = "ecr-scan-reporter/"
  export_bucket_owner = null
  export_kms_key_arn  = null

  functions = {
    # One run at a time.
    repositories_scanner = { memory = 256, timeout = 600, concurrency = 1, threads = 16 }
    # Ten repositories at a time.
    images_scanner = { memory = 512, timeout = 900, concurrency = 10, threads = 16 }
    reporter       = { memory = 512, timeout = 300, concurrency = 2 }
  }

  # The default, which costs less.
  architecture = "arm64"

  # Null unless the example's variable says otherwise.
  vpc_config = var.vpc_config

  # AWS X-Ray.
  tracing = true

  # Or "DEBUG".
  log_level = "INFO"

  # For all functions, in addition to the variables that the module sets: here IPv6 endpoints.
  environment_variables = {
    AWS_USE_DUALSTACK_ENDPOINT = "true"
  }

  # `terraform destroy` fails, after it has destroyed everything else, until this is false and applied.
  memory_deletion_protection = true

  # A year.
  log_retention_days = 365

  # The alarms, without one of them, notify a pager and an address, in addition to the topic in alarms_topic_arn. All
  # numbers are metrics, and each function has alarms of its own.
  create_alarms       = true
  detailed_monitoring = true
  disabled_alarms     = ["repositories_scanner_throttles"]
  alarm_actions       = [aws_sns_topic.pager.arn]
  alarm_email         = "operations@example.com"

  # The dashboard begins with the state of the registry.
  create_dashboard = true
  dashboard_widget = true

  # Encrypts the queues, the topics, the table, the logs and the environment variables.
  kms_key_arn = aws_kms_key.reports.arn

  # The roles are in this path.
  role_path = "/security/"

  # For accounts that require a permissions boundary.
  permissions_boundary = "${local.arn_prefix}:iam::${data.aws_caller_identity.current.account_id}:policy/boundary"

  # Policies that someone else adds to the roles are in the next plan, and removed.
  exclusive_role_policies = true

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

  # Critical findings only: HIGH is on by default.
  severity_thresholds    = { HIGH = null }
  notify_on_scan_failure = false

  log_retention_days = 365
  kms_key_arn        = aws_kms_key.reports.arn
}
