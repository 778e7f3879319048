# Scans every image of the account's ECR registry in one Region at least once a week, and mails the reports to one
# address.

module "ecr_scan_reporter" {
  # Outside of this repository:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  email                 = var.email
  rate                  = var.rate
  report_window         = var.report_window
  log_retention_days    = 365
  environment_variables = var.environment_variables
}
