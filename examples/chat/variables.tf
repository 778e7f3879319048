variable "slack_channel" {
  description = <<-EOT
    Slack channel that shows the reports; null for the topic alone, to be added to a channel in the console.
    - `team_id`: ID of the workspace, as the console of Amazon Q Developer shows it, such as T0123456789.
    - `channel_id`: ID of the channel, at the end of its link, such as C0123456789.
  EOT
  type = object({
    team_id    = string
    channel_id = string
  })
  default = null
}
