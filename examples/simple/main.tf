# Scans every image of the account's ECR registry in one Region at least once a week, and mails the reports to one
# address. Region and credentials come from the environment.

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

variable "email" {
  description = "E-mail address that the reports go to; null for none."
  type        = string
  default     = null
}

variable "rate" {
  description = "How often the repositories are gone through."
  type        = string
  default     = "1 day"
}

variable "report_window" {
  description = "Seconds for which scans that others started are collected into one report."
  type        = number
  default     = 60
}

variable "environment_variables" {
  description = "Further environment variables of the functions, such as AWS_ENDPOINT_URL_ECR for a local ECR."
  type        = map(string)
  default     = {}
}

module "ecr_scan_reporter" {
  # Outside of this repository, from the Terraform Registry:
  #   source  = "OWNER/ecr-scan-reporter/aws"
  #   version = "~> 1.0"
  source = "../../"

  email                 = var.email
  rate                  = var.rate
  report_window         = var.report_window
  log_retention_days    = 365
  environment_variables = var.environment_variables
}
