output "pager_topic_arn" {
  description = "ARN of the topic that the alarms notify."
  value       = aws_sns_topic.pager.arn
}
