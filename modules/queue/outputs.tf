output "queue" {
  description = "The queue."
  value       = aws_sqs_queue.this
}

output "dlq" {
  description = "The DLQ, which receives what the queue's consumer could not process."
  value       = aws_sqs_queue.dlq
}
