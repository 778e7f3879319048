# Internal to this repository: one SQS queue that a Lambda function consumes, with its dead-letter queue (DLQ).

locals {
  # AWS recommends six times the function's timeout, so that throttled and retried batches are not delivered twice. A
  # message becomes invisible when Lambda receives it, so the time for which Lambda fills a batch is added.
  visibility_timeout_seconds = 6 * var.consumer_timeout + var.consumer_batching_window

  # AWS recommends at least five, so that throttling alone does not move a message to the DLQ.
  max_receive_count = 5

  # SQS's maximum: two weeks to find the cause of a failure and redrive the messages.
  dlq_retention_seconds = 14 * 24 * 60 * 60

  # A queue has either SQS's own key or a customer key, and the provider rejects `false` together with the latter.
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  # Composed from the names, because each queue's policy needs the queue's own ARN and the two queues refer to each
  # other, and because the first plan then shows them. Separate policy resources would not need that, but the provider
  # waits 25 seconds for each of them.
  arns = {
    queue = "${var.arn_prefix}:${var.name}"
    dlq   = "${var.arn_prefix}:${var.dlq_name}"
  }

  policy_statements = {
    queue = var.policy_statements
    dlq   = var.dlq_policy_statements
  }

  # IAM decides which principals of the account may use a queue. The policy denies them insecure transport, and allows
  # AWS services what they need.
  policies = { for key, arn in local.arns : key => jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sid, statement in local.policy_statements[key] : {
        Sid       = sid
        Effect    = "Allow"
        Principal = { Service = statement.service }
        Action    = statement.actions
        Resource  = arn
        Condition = { ArnEquals = { "aws:SourceArn" = statement.source_arn } }
      }],
    )
  }) }
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = local.visibility_timeout_seconds
  sqs_managed_sse_enabled    = local.sqs_managed_sse_enabled
  kms_master_key_id          = var.kms_key_arn
  policy                     = local.policies.queue
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.arns.dlq
    maxReceiveCount     = local.max_receive_count
  })

  # SQS accepts a DLQ only if it exists.
  depends_on = [aws_sqs_queue.dlq]
}

resource "aws_sqs_queue" "dlq" {
  name                      = var.dlq_name
  message_retention_seconds = local.dlq_retention_seconds
  sqs_managed_sse_enabled   = local.sqs_managed_sse_enabled
  kms_master_key_id         = var.kms_key_arn
  policy                    = local.policies.dlq
  tags                      = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arns.queue]
  })
}
