output "reports_queue_url" {
  description = "URL of the queue that receives the reports of both Regions."
  value       = aws_sqs_queue.reports.url
}

output "reports_topic_arns" {
  description = "ARNs of the topics that the reports are published to, by Region."
  value = {
    eu-central-1 = module.frankfurt.reports_topic_arn
    eu-west-1    = module.ireland.reports_topic_arn
  }
}
