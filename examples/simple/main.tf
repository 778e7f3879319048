# Scans every image of the account's ECR registry in one Region at least once a week, and mails the reports to one
# address, and the alarms of the module itself to another, or to the same.

module "ecr_scan_reporter" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  email       = var.email
  alarm_email = var.alarm_email

  # A year, which security checks such as checkov's ask for. The default is 30 days.
  log_retention_days = 365

  rate                  = var.rate
  report_window         = var.report_window
  environment_variables = var.environment_variables
}
