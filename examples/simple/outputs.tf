output "reports_topic_arn" {
  description = "ARN of the topic that the reports are published to."
  value       = module.ecr_scan_reporter.reports_topic_arn
}

output "queue_urls" {
  description = "URLs of the queues and their DLQs."
  value = {
    images      = module.ecr_scan_reporter.images_queue_url
    images_dlq  = module.ecr_scan_reporter.images_dead_letter_queue_url
    reports     = module.ecr_scan_reporter.reports_queue_url
    reports_dlq = module.ecr_scan_reporter.reports_dead_letter_queue_url
  }
}

output "function_names" {
  description = "Names of the functions."
  value = {
    repositories_scanner = module.ecr_scan_reporter.repositories_scanner_function_name
    images_scanner       = module.ecr_scan_reporter.images_scanner_function_name
    reporter             = module.ecr_scan_reporter.reporter_function_name
  }
}
