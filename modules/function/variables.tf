variable "name" {
  description = "Name of the function and of its role, of at most 64 characters."
  type        = string
  nullable    = false
}

variable "description" {
  description = "Description of the function, as the Lambda console shows it."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Entry point in the package: the path of the Python module and the name of the function."
  type        = string
  nullable    = false
}

variable "filename" {
  description = "Path of the zip file of the package."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Instruction set of the function: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "memory_size" {
  description = "Memory of the function in MB."
  type        = number
  nullable    = false
}

variable "timeout" {
  description = "Seconds after which Lambda stops an invocation."
  type        = number
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Number of concurrent executions that are reserved for the function and limit it; null to reserve none."
  type        = number
  default     = null
}

variable "vpc_config" {
  description = "Subnets and security groups of the function; null for none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "tracing" {
  description = "Whether AWS X-Ray traces the function."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_level" {
  description = "Level from which the function's log lines are kept, such as INFO."
  type        = string
  default     = "INFO"
  nullable    = false
}

variable "environment_variables" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "policy_statements" {
  description = <<-EOT
    Statements of the policy of the function's role, keyed by Sid, in addition to the one that lets it write its logs.
    All statements allow:
    - `actions`: IAM actions, such as "sqs:SendMessage".
    - `resources`: ARNs that the actions apply to.
    - `condition`: values by condition operator and key; null for none.
  EOT
  type = map(object({
    actions   = list(string)
    resources = list(string)
    condition = optional(map(map(list(string))))
  }))
  default  = {}
  nullable = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key for the environment variables and the logs; null for AWS's own encryption."
  type        = string
  default     = null
}

variable "role_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that is the permissions boundary of the role; null for none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs; 0 keeps them forever."
  type        = number
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
