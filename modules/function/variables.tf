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

variable "common" {
  description = <<-EOT
    What all functions of the module have in common.
    - `filename`: path of the zip file of the package.
    - `architecture`: instruction set: arm64 or x86_64.
    - `environment_variables`: added to those of the function, which replace them.
    - `vpc_config`: subnets and security groups; null for none.
    - `tracing`: whether AWS X-Ray traces the function.
    - `log_level`: level from which log lines are kept, such as INFO.
    - `log_retention_days`: days for which CloudWatch keeps the logs; 0 keeps them forever.
    - `kms_key_arn`: ARN of the KMS key for the environment variables and the logs; null for AWS's own encryption.
    - `role_path`: IAM path of the role.
    - `permissions_boundary`: ARN of the IAM policy that is the role's permissions boundary; null for none.
    - `exclusive_policies`: whether to remove policies that someone else adds to the role.
    - `logs_arn_prefix`: beginning of the ARN of a log group: arn:PARTITION:logs:REGION:ACCOUNT.
    - `tags`: of all resources.
  EOT
  type = object({
    filename              = string
    architecture          = optional(string, "arm64")
    environment_variables = optional(map(string), {})
    vpc_config = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
    tracing              = optional(bool, false)
    log_level            = optional(string, "INFO")
    log_retention_days   = number
    kms_key_arn          = optional(string)
    role_path            = optional(string, "/")
    permissions_boundary = optional(string)
    exclusive_policies   = optional(bool, false)
    logs_arn_prefix      = string
    tags                 = optional(map(string), {})
  })
  nullable = false
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
