# The topics that the reporter and the alarms publish to, and their subscriptions. With reports_topic_arn, the reports
# topic is the caller's, with their policy and their subscriptions.

locals {
  # These policies replace SNS's default policy, which lets every principal of the account publish and subscribe. Now
  # IAM alone decides who may, and nobody can publish without TLS. The ARNs are composed, because a topic's policy needs
  # the topic's own ARN.
  topic_policies = { for topic in ["reports", "chat", "alarms"] : topic => jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = "${local.arn_prefixes.sns}:${local.names[topic]}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }], topic == "alarms" ? local.alarms_topic_statements : [])
  }) }

  alarms_topic_statements = [{
    Sid       = "AllowAlarms"
    Effect    = "Allow"
    Principal = { Service = "cloudwatch.amazonaws.com" }
    Action    = "sns:Publish"
    Resource  = local.arns.alarms_topic
    Condition = { ArnLike = { "aws:SourceArn" = "${local.arn_prefixes.cloudwatch}:alarm:${var.name}-*" } }
  }]

  # A report that is too large for one message continues in further messages, which are for programs: the first one has
  # the whole text for mail. The attribute `id` of each message ends in its number.
  first_part_only = jsonencode({ id = [{ suffix = "-1" }] })

  reports_topic_name = reverse(split(":", local.arns.reports_topic))[0]
  reports_topic_arn  = one(concat(aws_sns_topic.reports[*].arn, var.reports_topic_arn[*]))
}

resource "aws_sns_topic" "reports" {
  count = var.reports_topic_arn == null ? 1 : 0 # unknown at plan: see "Values of other resources" in README.md

  name              = local.names.reports
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  policy            = local.topic_policies.reports
  tags              = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1 # unknown at plan: see "Values of other resources" in README.md

  topic_arn     = local.reports_topic_arn
  protocol      = "email"
  endpoint      = var.email
  filter_policy = local.first_part_only
}

resource "aws_sns_topic_subscription" "additional" {
  for_each = local.subscriptions

  topic_arn             = local.reports_topic_arn
  protocol              = each.value.protocol
  endpoint              = each.value.endpoint
  filter_policy_scope   = each.value.filter_policy_scope
  raw_message_delivery  = each.value.raw_message_delivery
  subscription_role_arn = each.value.subscription_role_arn

  filter_policy = (each.value.protocol == "email" && each.value.filter_policy == null
    ? local.first_part_only
    : each.value.filter_policy
  )
}

# A separate topic, because Amazon Q Developer accepts only its own message format, which is unreadable as mail. It
# subscribes to the topic by itself when the topic is added to a channel.
resource "aws_sns_topic" "chat" {
  count = var.chat ? 1 : 0

  name              = local.names.chat
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  policy            = local.topic_policies.chat
  tags              = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

# Encrypted with the customer key only: CloudWatch may not use the AWS managed key of SNS, whose policy nobody can
# change. A message holds the name and the description of an alarm, and a number.
resource "aws_sns_topic" "alarms" {
  count = var.create_alarms ? 1 : 0

  name              = local.names.alarms
  kms_master_key_id = var.kms_key_arn
  policy            = local.topic_policies.alarms
  tags              = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

resource "aws_sns_topic_subscription" "alarm_email" {
  count = var.create_alarms && var.alarm_email != null ? 1 : 0 # unknown at plan: see "Values of other resources" in README.md

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# Nobody reads what goes to an address that has not confirmed. SNS asks once, and the link is valid for two days. The
# output needs_attention names them.
locals {
  email_subscriptions = concat(
    aws_sns_topic_subscription.email,
    [for subscription in values(aws_sns_topic_subscription.additional) :
      subscription if contains(["email", "email-json"], subscription.protocol)
    ],
    aws_sns_topic_subscription.alarm_email,
  )
  unconfirmed_addresses = [for subscription in local.email_subscriptions :
    "${subscription.endpoint} (${reverse(split(":", subscription.topic_arn))[0]})" if subscription.pending_confirmation
  ]
}
