variable "email" {
  description = "Email address that receives the reports; null for none."
  type        = string
  default     = null
}

variable "alarm_email" {
  description = "Email address that receives the alarms of the module itself; null for none."
  type        = string
  default     = null
}

variable "rate" {
  description = "How often to scan."
  type        = string
  default     = "1 day"
}

variable "report_window" {
  description = "Seconds for which scans that others started are collected into one report."
  type        = number
  default     = 60
}

variable "environment_variables" {
  description = "Additional environment variables of the functions, such as AWS_ENDPOINT_URL_ECR for a local ECR."
  type        = map(string)
  default     = {}
}
