output "reports_topic_arns" {
  description = "ARNs of the topics that the reports are published to, by instance."
  value = {
    production = module.production.reports_topic_arn
    others     = module.others.reports_topic_arn
  }
}

output "chat_topic_arn" {
  description = "ARN of the topic to add to a channel of Amazon Q Developer."
  value       = module.production.chat_topic_arn
}

output "dead_letter_queue_urls" {
  description = "URLs of the queues in which what could not be handled waits, by instance."
  value = {
    production = [module.production.images_dead_letter_queue_url, module.production.reports_dead_letter_queue_url]
    others     = [module.others.images_dead_letter_queue_url, module.others.reports_dead_letter_queue_url]
  }
}
