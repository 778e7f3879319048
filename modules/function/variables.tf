variable "name" {
  description = "Name of the function and of its role; at most 64 characters."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the function does, as the console shows it."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Entry point in the package: module path and function."
  type        = string
  nullable    = false
}

variable "filename" {
  description = "Path of the zip that holds the package."
  type        = string
  nullable    = false
}

variable "memory" {
  description = "Memory of the function in MB."
  type        = number
  nullable    = false
}

variable "timeout" {
  description = "Seconds after which Lambda ends an invocation."
  type        = number
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Concurrent executions set aside for the function, and its limit; null shares the account's pool."
  type        = number
  default     = null
}

variable "environment_variables" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions" {
  description = "What the function may do beyond writing its own log: policy statements by their Sid, which names the reason."
  type = map(object({
    actions   = list(string)
    resources = list(string)
  }))
  default  = {}
  nullable = false
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role; null for none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which the log is kept."
  type        = number
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
