output "chat_topic_arn" {
  description = "ARN of the topic that the channel shows."
  value       = module.ecr_scan_reporter.chat_topic_arn
}
