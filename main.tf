# Keeps every image of an Amazon ECR registry scanned, and reports what the scans find.
#
#   schedule, heartbeat ──▶ repositories scanner ──▶ images queue ──▶ images scanner ──▶ ECR StartImageScan
#                              │     ▲                 ▲     └──▶ DLQ   │    ▲   │
#                              │     │                 └─ continuations ┘    │   │ images whose events were lost
#                              │     └────────▶ memory ◀─────────────────────┘   │
#                              │                 ▲  ▲                            │
#                              │                 │  └── catalog reader           │
#                              │                 │                               ▼
#                              └── exports ──────┼──────────────────▶ reports queue ◀── rules ◀── scan events, midnight
#                                                ▼                     │  ▲   └──▶ DLQ ◀──┘
#   overview schedule ─────────────────────▶ reporter ◀────────────────┘  │
#                                              │ └── messages to itself ──┘
#                                              └──▶ topics ──▶ email, chat, queues, ...
#
# attribute_defaults.tf has the defaults of the inputs that have attributes, and validation.tf what inputs are held to.
#
# Each file covers one concern, in the order in which the data flows: repositories_scanner.tf (with the schedule),
# first_run.tf, images_scanner.tf, reporter.tf (with the rule), daily_pass.tf and overview.tf (each with its schedule)
# and topics.tf. known_exploited.tf has the catalog that the daily pass matches, and export.tf what an export needs.
# memory.tf has the table that all functions use, and ignored_findings.tf the rules in it. alarms.tf (with heartbeat.tf)
# and dashboard.tf watch all of it, and console_widget.tf has the function that shows the table on the dashboard. This
# file has what several of them share.

data "aws_caller_identity" "current" {}

# The Region and the partition, known at plan and without a resource. Not from data.aws_region, which has no attribute
# that both provider 5.100 and 6.x accept without a warning.
data "aws_service" "sqs" {
  service_id = "sqs"
}

locals {
  # Names of functions, roles and rules have at most 64 characters, so all names do. A longer name is cut and gets a
  # hash of the whole `name`, so that two long names with the same beginning stay distinct.
  names = { for suffix in [
    "schedule", "repositories-scanner", "images", "images-dlq", "images-scanner",
    "scan-events", "reports", "reports-dlq", "reporter", "overview-schedule", "chat", "memory", "console-widget",
    "heartbeat", "first-run", "alarms", "daily-pass", "catalog-reader", "catalog-schedule",
    ] : replace(suffix, "-", "_") => (
    length("${var.name}-${suffix}") <= 64
    ? "${var.name}-${suffix}"
    : "${substr(var.name, 0, 64 - 10 - length(suffix))}-${substr(sha256(var.name), 0, 8)}-${suffix}"
  ) }

  partition  = data.aws_service.sqs.partition
  region     = data.aws_service.sqs.region
  account_id = data.aws_caller_identity.current.account_id

  arn_prefixes = { for service in ["cloudwatch", "dynamodb", "ecr", "events", "lambda", "logs", "sns", "sqs"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account_id}"
  }

  # For policies and the dashboard, which can then be read in the first plan: the ARN of a resource is known only after
  # it exists. An argument that refers to a resource takes the resource's own attribute, so that it follows when the
  # resource is replaced.
  arns = {
    images         = "${local.arn_prefixes.sqs}:${local.names.images}"
    images_dlq     = "${local.arn_prefixes.sqs}:${local.names.images_dlq}"
    reports        = "${local.arn_prefixes.sqs}:${local.names.reports}"
    reports_dlq    = "${local.arn_prefixes.sqs}:${local.names.reports_dlq}"
    scan_events    = "${local.arn_prefixes.events}:rule/${local.names.scan_events}"
    daily_pass     = "${local.arn_prefixes.events}:rule/${local.names.daily_pass}"
    memory         = "${local.arn_prefixes.dynamodb}:table/${local.names.memory}"
    repositories   = "${local.arn_prefixes.ecr}:repository/*"
    reports_topic  = coalesce(var.reports_topic_arn, "${local.arn_prefixes.sns}:${local.names.reports}")
    chat_topic     = "${local.arn_prefixes.sns}:${local.names.chat}"
    alarms_topic   = "${local.arn_prefixes.sns}:${local.names.alarms}"
    console_widget = "${local.arn_prefixes.lambda}:function:${local.names.console_widget}"
  }

  # How the memory table's partition keys name this registry: see memory/__init__.py.
  registry_key = "${local.account_id}#${local.region}"

  # What all functions have in common.
  function_settings = {
    filename              = "${path.module}/dist/ecr_scan_reporter.zip"
    architecture          = var.architecture
    environment_variables = var.environment_variables
    vpc_config            = var.vpc_config
    tracing               = var.tracing
    log_level             = var.log_level
    log_retention_days    = var.log_retention_days
    kms_key_arn           = var.kms_key_arn
    role_path             = var.role_path
    permissions_boundary  = var.permissions_boundary
    exclusive_policies    = var.exclusive_role_policies
    logs_arn_prefix       = local.arn_prefixes.logs
    tags                  = var.tags
  }

  # The permissions that Lambda needs to poll a queue.
  sqs_consumer_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

  # The statement that a function needs to send or publish messages that kms_key_arn encrypts. Its role may already
  # decrypt.
  encrypt_messages_statement = { for sid, actions in { EncryptMessages = ["kms:GenerateDataKey"] } : sid => {
    actions   = actions
    resources = [var.kms_key_arn]
  } if var.kms_key_arn != null }
}
