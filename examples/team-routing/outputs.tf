output "critical_queue_url" {
  description = "URL of the queue that receives the reports with new critical findings."
  value       = aws_sqs_queue.critical.url
}
