variable "name" {
  description = "Name of the queue."
  type        = string
  nullable    = false
}

variable "dlq_name" {
  description = "Name of the DLQ."
  type        = string
  nullable    = false
}

variable "arn_prefix" {
  description = "ARN of the queues without the colon and the name at its end: arn:PARTITION:sqs:REGION:ACCOUNT."
  type        = string
  nullable    = false
}

variable "consumer_timeout" {
  description = "Timeout in seconds of the function that consumes the queue."
  type        = number
  nullable    = false
}

variable "consumer_batching_window" {
  description = "Seconds for which Lambda fills a batch before it invokes the function."
  type        = number
  default     = 0
  nullable    = false
}

variable "policy_statements" {
  description = <<-EOT
    Statements of the queue's policy, keyed by Sid, in addition to the one that denies insecure transport. All
    statements allow:
    - `service`: service principal, such as "events.amazonaws.com".
    - `actions`: SQS actions, such as "sqs:SendMessage".
    - `source_arn`: ARN of the resource on whose behalf the service may act.
  EOT
  type = map(object({
    service    = string
    actions    = list(string)
    source_arn = string
  }))
  default  = {}
  nullable = false
}

variable "dlq_policy_statements" {
  description = "Statements of the DLQ's policy, in the form of `policy_statements`."
  type = map(object({
    service    = string
    actions    = list(string)
    source_arn = string
  }))
  default  = {}
  nullable = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts both queues; null for the key of SQS."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of both queues."
  type        = map(string)
  default     = {}
  nullable    = false
}
