variable "email" {
  description = "Email address that receives the reports; null for none."
  type        = string
  default     = null
}

variable "pager_url" {
  description = "Address of the pager's integration for Amazon SNS or CloudWatch; null for the topic alone."
  type        = string
  default     = null

  validation {
    condition     = var.pager_url == null ? true : startswith(var.pager_url, "https://")
    error_message = "pager_url is ${jsonencode(var.pager_url)}; expected an address that begins with https://, or null."
  }
}
