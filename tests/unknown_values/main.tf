# Feeds every input of the module from a resource that does not exist yet, so that Terraform knows no value at plan.
# What decides which resources there are has to be known: README.md lists it ("Values of other resources").

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

variable "existing_topic" {
  description = "Whether the reports go to a topic that is created with the module, in place of email and subscriptions."
  type        = bool
  default     = false
}

resource "terraform_data" "given" {
  input = {
    name                        = "unknown"
    tags                        = { team = "security" }
    rate                        = "cron(0 4 * * ? *)"
    repositories_filter_regexp  = "team-a/"
    repositories_exclude_regexp = "team-a/mirror/"
    images_duration_delta       = "3d"
    newest                      = 10
    email                       = "security@example.com"
    endpoint                    = "arn:aws:sqs:eu-central-1:123456789012:tickets"
    reports_topic_arn           = "arn:aws:sns:eu-central-1:123456789012:security"
    severity_thresholds         = { CRITICAL = 2 }
    fixable_only                = true
    fix_within                  = { CRITICAL = 7 }
    known_exploited_feed        = "s3://mirror/kev.json"
    ignore_kernel_headers       = false
    rule                        = { id = "CVE-2026-1234", reason = "Not called.", owner = "team-a", until_fixed = true }
    team                        = "team-a"
    notify_on                   = "every_scan"
    notify_on_fixed             = true
    notify_on_scan_failure      = false
    remind_after                = "2w"
    report_window               = 300
    group_by                    = "^([^/]+)/"
    quiet_hours                 = ["22:00-06:00"]
    quiet_hours_time_zone       = "Europe/Berlin"
    let_exploited_through       = true
    subject_prefix              = "[ECR prod]"
    account_name                = "prod"
    contact                     = "security@example.com"
    overview_schedule           = "7 days"
    export_bucket               = "security-reports"
    export_prefix               = "ecr/"
    export_bucket_owner         = "210987654321"
    functions                   = { reporter = { memory = 1024 }, images_scanner = { concurrency = 3 } }
    architecture                = "x86_64"
    subnet                      = "subnet-1"
    security_group              = "sg-1"
    environment_variables       = { AWS_USE_DUALSTACK_ENDPOINT = "true" }
    tracing                     = true
    log_level                   = "DEBUG"
    log_retention_days          = 365
    kms_key_arn                 = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    role_path                   = "/security/"
    permissions_boundary        = "arn:aws:iam::123456789012:policy/boundary"
    memory_deletion_protection  = true
    alarm_action                = "arn:aws:sns:eu-central-1:123456789012:pager"
    alarm_email                 = "operations@example.com"
  }
}

locals {
  given = terraform_data.given.output
}

module "ecr_scan_reporter" {
  source = "../../"

  name                        = local.given.name
  enabled                     = true
  tags                        = local.given.tags
  rate                        = local.given.rate
  repositories_filter_regexp  = local.given.repositories_filter_regexp
  repositories_exclude_regexp = local.given.repositories_exclude_regexp
  images_duration_delta       = local.given.images_duration_delta
  images_selection            = { tagged_only = true, newest = local.given.newest }
  email                       = var.existing_topic ? null : trimspace(local.given.email)
  subscriptions = { for name in var.existing_topic ? [] : ["tickets"] : name => {
    protocol = "sqs", endpoint = local.given.endpoint
  } }
  reports_topic_arn     = var.existing_topic ? trimspace(local.given.reports_topic_arn) : null
  chat                  = true
  severity_thresholds   = local.given.severity_thresholds
  fixable_only          = local.given.fixable_only
  fix_within            = local.given.fix_within
  known_exploited       = true
  known_exploited_feed  = local.given.known_exploited_feed
  ignore_kernel_headers = local.given.ignore_kernel_headers
  ignored_findings = [
    local.given.rule,
    { package = "openssl", reason = "Not called.", owner = local.given.team, until_fixed = true },
  ]
  notify_on              = local.given.notify_on
  notify_on_fixed        = local.given.notify_on_fixed
  notify_on_scan_failure = local.given.notify_on_scan_failure
  remind_after           = local.given.remind_after
  report_window          = local.given.report_window
  group_by               = local.given.group_by
  quiet_hours            = local.given.quiet_hours
  quiet_hours_time_zone  = local.given.quiet_hours_time_zone

  quiet_hours_let_exploited_through = local.given.let_exploited_through

  subject_prefix             = local.given.subject_prefix
  account_name               = local.given.account_name
  contact                    = local.given.contact
  overview_schedule          = trimspace(local.given.overview_schedule)
  export_bucket              = local.given.export_bucket
  export_prefix              = local.given.export_prefix
  export_bucket_owner        = local.given.export_bucket_owner
  export_kms_key_arn         = local.given.kms_key_arn
  functions                  = local.given.functions
  architecture               = local.given.architecture
  vpc_config                 = { subnet_ids = [local.given.subnet], security_group_ids = [local.given.security_group] }
  environment_variables      = local.given.environment_variables
  tracing                    = local.given.tracing
  log_level                  = local.given.log_level
  log_retention_days         = local.given.log_retention_days
  kms_key_arn                = local.given.kms_key_arn
  role_path                  = local.given.role_path
  permissions_boundary       = local.given.permissions_boundary
  memory_deletion_protection = local.given.memory_deletion_protection
  exclusive_role_policies    = true
  create_alarms              = true
  disabled_alarms            = ["silence"]
  detailed_monitoring        = true
  alarm_actions              = [local.given.alarm_action]
  alarm_email                = trimspace(local.given.alarm_email)
  create_dashboard           = true
  dashboard_widget           = true
}

output "module" {
  description = "All outputs of the module."
  value       = module.ecr_scan_reporter
}
