output "queue" {
  description = "The queue."
  value       = aws_sqs_queue.this
}

output "dlq" {
  description = "The DLQ, which receives what the queue's consumer could not process."
  value       = aws_sqs_queue.dlq
}

output "retry_seconds" {
  description = "Seconds after which a message that fails each time goes to the DLQ."
  value       = local.max_receive_count * local.visibility_timeout_seconds
}
