################################################################################
# Instance
################################################################################

variable "name" {
  description = <<-EOT
    Name of this instance. The names of all resources derive from it. IAM role names are global, so instances in one
    account need different names, even in different Regions. If another instance has the name, an apply fails at the
    table in memory_table_name, and changes nothing. A resource name that is too long for AWS is cut and gets a hash.
  EOT
  type        = string
  default     = "ecr-scan-reporter"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.name))
    error_message = "name is \"${var.name}\"; expected 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "enabled" {
  description = <<-EOT
    Whether the EventBridge rules are enabled: the schedule, the scan events and the overview. With false, no run
    starts, and neither scan events nor the overview are reported. The rule of the heartbeat and the silence alarm are
    removed. All other resources stay as they are.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(var.tags) <= 50 && alltrue([for key, value in var.tags :
      length(key) >= 1 && length(key) <= 128 && length(value) <= 256 && !startswith(lower(key), "aws:")
    ])
    error_message = join("", [
      "tags has ${join(", ", keys(var.tags))}; ",
      "expected at most 50 tags, with keys of 1 to 128 characters that do not begin with \"aws:\", and values of at ",
      "most 256 characters.",
    ])
  }
}

################################################################################
# Schedule and scanning
################################################################################

variable "rate" {
  description = <<-EOT
    How often to scan: a rate ("1 day", "12 hours", "rate(1 day)") or an EventBridge cron expression in UTC
    ("cron(0 4 * * ? *)").
  EOT
  type        = string
  default     = "1 day"
  nullable    = false

  # EventBridge accepts the singular for 1 and the plural for all other numbers, and rejects the rest only at apply.
  validation {
    condition = startswith(var.rate, "cron(") || can(regex(
      "^(1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))$",
      try(regex("^rate\\((.*)\\)$", var.rate)[0], var.rate),
    ))
    error_message = join("", [
      "rate is \"${var.rate}\"; ",
      "expected \"1 minute\", \"1 hour\", \"1 day\" or a whole number from 2 with \"minutes\", \"hours\" or \"days\", ",
      "such as \"12 hours\", bare or as \"rate(12 hours)\"; or a cron expression, such as \"cron(0 4 * * ? *)\".",
    ])
  }

  validation {
    condition = !startswith(var.rate, "cron(") || can(regex(
      "^cron\\([0-9,*/-]+ [0-9,*/-]+ [0-9,*/?LW-]+ [0-9A-Za-z,*/-]+ [0-9A-Za-z,*/?#-]+ [0-9,*/-]+\\)$",
      var.rate,
    ))
    error_message = join("", [
      "rate is \"${var.rate}\"; ",
      "expected six fields, separated by one space: minutes, hours, day of month, month, day of week, year, such as ",
      "\"cron(0 4 * * ? *)\".",
    ])
  }

  validation {
    condition = !startswith(var.rate, "cron(") || try(
      (split(" ", var.rate)[2] == "?") != (split(" ", var.rate)[4] == "?"),
      true, # fewer fields: the rule above rejects it
    )
    error_message = join("", [
      "rate is \"${var.rate}\"; ",
      "expected a cron expression with \"?\" as either day of month (third field) or day of week (fifth field), such ",
      "as \"cron(0 4 * * ? *)\" or \"cron(0 4 ? * MON *)\".",
    ])
  }

  validation {
    condition = length(var.rate) <= (can(regex("^(rate|cron)\\(", var.rate)) ? 100 : 94)
    error_message = join("", [
      "rate has ${length(var.rate)} characters; ",
      "expected at most 100, with \"rate()\" around it: a function's environment holds 4 KB in total.",
    ])
  }
}

variable "repositories_filter_regexp" {
  description = <<-EOT
    Python regular expression, matched from the start of a repository name. Matching repositories are scanned and
    reported: ".*" is all repositories, "team-a/" a prefix, "(?!sandbox/)" everything except a prefix.
  EOT
  type        = string
  default     = ".*"
  nullable    = false

  # Terraform's regular expressions have no lookahead, so the functions check whether Python can compile this one.
  validation {
    condition = length(var.repositories_filter_regexp) >= 1 && length(var.repositories_filter_regexp) <= 1024
    error_message = join("", [
      "repositories_filter_regexp has ${length(var.repositories_filter_regexp)} characters; ",
      "expected a Python regular expression of 1 to 1024 characters (a function's environment holds 4 KB in total); ",
      "\".*\" for every repository.",
    ])
  }
}

variable "repositories_exclude_regexp" {
  description = <<-EOT
    Python regular expression, matched from the start of a repository name. Matching repositories are skipped even
    if repositories_filter_regexp matches them. Null for none.
  EOT
  type        = string
  default     = null

  validation {
    condition = (var.repositories_exclude_regexp == null ? true :
      length(var.repositories_exclude_regexp) >= 1 && length(var.repositories_exclude_regexp) <= 512
    )
    error_message = join("", [
      "repositories_exclude_regexp has ",
      "${var.repositories_exclude_regexp == null ? 0 : length(var.repositories_exclude_regexp)} characters; ",
      "expected a Python regular expression of 1 to 512 characters (a function's environment holds 4 KB in total), or ",
      "null for none.",
    ])
  }
}

variable "images_duration_delta" {
  description = <<-EOT
    Maximum age of a scan: months, weeks and days, in this order, each optional, such as "7d", "2w" or "1m2w3d". An
    image with an older scan is scanned again.
  EOT
  type        = string
  default     = "7d"
  nullable    = false

  validation {
    condition = (
      can(regex(local.duration_regexp, var.images_duration_delta)) &&
      can(regex("[1-9]", var.images_duration_delta))
    )
    error_message = join("", [
      "images_duration_delta is \"${var.images_duration_delta}\"; ",
      "expected ${local.duration_form}.",
    ])
  }
}

variable "images_selection" {
  description = <<-EOT
    Which images of a repository to scan; all by default. An image must meet every condition that is set.
    - `tagged_only`: only images with a tag; a child of a tagged index counts as tagged.
    - `tag_regexp`: only images with a tag that this Python regular expression matches from its start.
    - `newest`: only this many images of each repository, those pushed last; applied after the other conditions.
    - `pushed_within`: only images pushed within this time, such as "30d".
    - `pulled_within`: only images pulled within this time, as ECR recorded it.
  EOT
  type = object({
    tagged_only   = optional(bool, false)
    tag_regexp    = optional(string)
    newest        = optional(number)
    pushed_within = optional(string)
    pulled_within = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition = (var.images_selection.tag_regexp == null ? true :
      length(var.images_selection.tag_regexp) >= 1 && length(var.images_selection.tag_regexp) <= 512
    )
    error_message = join("", [
      "images_selection has a tag_regexp of ",
      "${var.images_selection.tag_regexp == null ? 0 : length(var.images_selection.tag_regexp)} characters; ",
      "expected a Python regular expression of 1 to 512 characters, or null for any tag.",
    ])
  }

  validation {
    condition = (var.images_selection.newest == null ? true :
      var.images_selection.newest >= 1 && floor(var.images_selection.newest) == var.images_selection.newest
    )
    error_message = join("", [
      "images_selection has newest ${jsonencode(var.images_selection.newest)}; ",
      "expected a whole number from 1, or null for all.",
    ])
  }

  validation {
    condition = var.images_selection.pushed_within == null ? true : (
      can(regex(local.duration_regexp, var.images_selection.pushed_within)) &&
      can(regex("[1-9]", var.images_selection.pushed_within))
    )
    error_message = join("", [
      "images_selection has pushed_within ${jsonencode(var.images_selection.pushed_within)}; ",
      "expected ${local.duration_form}, or null for any.",
    ])
  }

  validation {
    condition = var.images_selection.pulled_within == null ? true : (
      can(regex(local.duration_regexp, var.images_selection.pulled_within)) &&
      can(regex("[1-9]", var.images_selection.pulled_within))
    )
    error_message = join("", [
      "images_selection has pulled_within ${jsonencode(var.images_selection.pulled_within)}; ",
      "expected ${local.duration_form}, or null for any.",
    ])
  }
}

################################################################################
# Recipients
################################################################################

variable "email" {
  description = <<-EOT
    Email address that receives the reports; null for none. AWS sends it a link, which confirms the subscription and
    is valid for two days.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.email == null || can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", var.email))
    error_message = join("", [
      "email is ${jsonencode(var.email)}; ",
      "expected one address, such as \"security@example.com\", or null for none.",
    ])
  }
}

variable "subscriptions" {
  description = <<-EOT
    Additional subscriptions to the reports topic, keyed by a name that you choose.
    - `protocol`: sqs, lambda, http, https, email, email-json, sms, firehose or application.
    - `endpoint`: where SNS delivers to. The endpoint's own policy must allow it.
    - `filter_policy`: JSON object that selects messages; null for all of them. For email, null selects the first
      message of each report: it has the whole text, and further messages are for programs only.
    - `filter_policy_scope`: MessageAttributes (SNS's default) or MessageBody.
    - `raw_message_delivery`: whether to deliver without the SNS envelope (sqs, http, https, firehose).
    - `subscription_role_arn`: role that SNS uses to write to a firehose.
  EOT
  type = map(object({
    protocol              = string
    endpoint              = string
    filter_policy         = optional(string)
    filter_policy_scope   = optional(string)
    raw_message_delivery  = optional(bool)
    subscription_role_arn = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.protocol == null ? false : contains(local.subscription_protocols, subscription.protocol)
    ])
    error_message = join("", [
      "subscriptions has protocol ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.protocol)} (${name})"
      ]),
      "; expected ${join(", ", local.subscription_protocols)}.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.endpoint == null ? false : trimspace(subscription.endpoint) != ""
    ])
    error_message = join("", [
      "subscriptions has endpoint ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.endpoint)} (${name})"
      ]),
      "; expected where the protocol delivers to, such as the ARN of a queue, an address or a URL.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy == null ? true : can(keys(jsondecode(subscription.filter_policy)))
    ])
    error_message = join("", [
      "subscriptions has filter_policy ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.filter_policy)} (${name})"
      ]),
      "; expected a JSON object, such as jsonencode({ severity = [\"CRITICAL\"] }), or null for every report.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy_scope == null ? true : contains(
        ["MessageAttributes", "MessageBody"], subscription.filter_policy_scope,
      )
    ])
    error_message = join("", [
      "subscriptions has filter_policy_scope ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.filter_policy_scope)} (${name})"
      ]),
      "; expected MessageAttributes, MessageBody, or null.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy_scope == null || subscription.filter_policy != null
    ])
    error_message = join("", [
      "subscriptions has filter_policy_scope without filter_policy: ",
      join(", ", [for name, subscription in var.subscriptions :
        name if subscription.filter_policy_scope != null && subscription.filter_policy == null
      ]),
      "; expected both, filter_policy alone, or neither.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.raw_message_delivery != true || try(
        contains(["sqs", "http", "https", "firehose"], subscription.protocol), false,
      )
    ])
    error_message = join("", [
      "subscriptions has raw_message_delivery with protocol ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.protocol)} (${name})" if subscription.raw_message_delivery == true
      ]),
      "; expected true with sqs, http, https, firehose; false or null with all.",
    ])
  }

  # SNS accepts neither a firehose without a role nor a role with another protocol, and rejects them only at apply.
  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      (subscription.protocol == "firehose") == (subscription.subscription_role_arn != null)
    ])
    error_message = join("", [
      "subscriptions has subscription_role_arn ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(subscription.subscription_role_arn)} with protocol ${jsonencode(subscription.protocol)} (${name})"
      ]),
      "; expected the ARN of a role with firehose, null with all others.",
    ])
  }
}

variable "reports_topic_arn" {
  description = <<-EOT
    ARN of an existing SNS topic of this account and Region to publish the reports to; null to create one. You manage
    the policy and the subscriptions of your topic, so email and subscriptions have to be unset. The topic has to exist
    before the plan, which needs its ARN. If a customer managed key encrypts it, that key has to be kms_key_arn, or the
    role in reporter_role_name needs kms:Decrypt and kms:GenerateDataKey on it.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.reports_topic_arn == null || can(regex(
      "^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.reports_topic_arn,
    ))
    error_message = join("", [
      "reports_topic_arn is ${jsonencode(var.reports_topic_arn)}; ",
      "expected the ARN of a standard topic, such as \"arn:aws:sns:eu-central-1:123456789012:security\", or null for ",
      "none.",
    ])
  }

  # The reporter takes its own account and Region from the topic's ARN.
  validation {
    condition = alltrue([for place, part in local.arn_parts :
      try(split(":", var.reports_topic_arn)[place] == part, true)
    ])
    error_message = join("", [
      "reports_topic_arn is ${jsonencode(var.reports_topic_arn)}; ",
      "expected a topic of this account and Region, such as \"${local.arn_prefixes.sns}:security\".",
    ])
  }

  validation {
    condition = var.reports_topic_arn == null || (var.email == null && length(var.subscriptions) == 0)
    error_message = join("", [
      "reports_topic_arn is set together with ",
      join(" and ", concat(var.email == null ? [] : ["email"], length(var.subscriptions) > 0 ? ["subscriptions"] : [])),
      "; expected one or the other: the module adds no subscriptions to your topic.",
    ])
  }
}

variable "chat" {
  description = <<-EOT
    Whether to create a second topic, with reports in the format that Amazon Q Developer in chat applications (formerly
    AWS Chatbot) shows in Slack and Microsoft Teams. Add the topic in chat_topic_arn to a channel there.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

################################################################################
# Reports
################################################################################

# A map, not an object: an object would silently drop a misspelled severity, and with it the alert.
variable "severity_thresholds" {
  description = <<-EOT
    Number of findings at which an image is reported, by severity: CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL,
    UNDEFINED, UNTRIAGED. CRITICAL and HIGH are 1 by default, and the others are off. Null turns a severity off.
  EOT
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.severity_thresholds), local.severities)) == 0
    error_message = join("", [
      "severity_thresholds has ${join(", ", setsubtract(keys(var.severity_thresholds), local.severities))}; ",
      "expected ${join(", ", local.severities)}.",
    ])
  }

  validation {
    condition = alltrue([for threshold in values(var.severity_thresholds) :
      threshold == null ? true : threshold >= 1 && floor(threshold) == threshold
    ])
    error_message = join("", [
      "severity_thresholds is ${jsonencode(var.severity_thresholds)}; ",
      "expected a whole number from 1, or null to turn a severity off.",
    ])
  }
}

variable "fixable_only" {
  description = "Whether to count only findings with a known fix. Only enhanced scanning knows fixes."
  type        = bool
  default     = false
  nullable    = false
}

# A map, not an object, for the same reason as severity_thresholds.
variable "fix_within" {
  description = <<-EOT
    Days within which a finding should be fixed, by severity, and by EXPLOITED for findings with a known exploit. They
    count from the first scan of the application that had the finding; a rebuild does not restart them. A finding that
    passes its deadline is reported on that day, once. Null for no deadlines.
  EOT
  type        = map(number)
  default     = null

  validation {
    condition = (var.fix_within == null ? true :
      length(setsubtract(keys(var.fix_within), concat(local.severities, ["EXPLOITED"]))) == 0
    )
    error_message = join("", [
      "fix_within has ",
      "${join(", ", try(setsubtract(keys(var.fix_within), concat(local.severities, ["EXPLOITED"])), []))}; ",
      "expected ${join(", ", local.severities)}, EXPLOITED.",
    ])
  }

  validation {
    condition = var.fix_within == null ? true : alltrue([for days in values(var.fix_within) :
      days == null ? false : days >= 1 && days <= 3650 && floor(days) == days
    ])
    error_message = join("", [
      "fix_within is ${jsonencode(var.fix_within)}; ",
      "expected whole numbers of days from 1 to 3650, or null for none.",
    ])
  }
}

# A list of maps, not of objects: an object would silently drop a misspelled attribute, and with it the limit to some
# repositories. ignored_findings.tf checks the rules.
variable "ignored_findings" {
  description = <<-EOT
    Rules for findings that should not be reported: a list of objects. The first rule that matches a finding counts.
    - `id`: ID of a vulnerability, such as CVE-2026-1234; aliases match too. Either this, or
    - `package`: name of a package.
    - `reason`: why the findings can be ignored; reports show it.
    - `owner`: who is responsible for the decision.
    - `expires`: day on which the rule ends (UTC), such as "2026-12-31", at most a year ahead. Either this, or
    - `until_fixed`: true for a rule that ends when a fix is known. Only enhanced scanning knows fixes.
    - `repositories`: Python regular expression, matched from the start of a repository name; all by default.
  EOT
  type        = list(map(string))
  default     = []
  nullable    = false
}

variable "notify_on" {
  description = <<-EOT
    When to report an image. "changes": when a finding that counts toward a threshold is new, back, raised to a severity
    that counts, no longer ignored, newly fixable or newly exploitable. "every_scan": after each scan that reaches a
    threshold.
  EOT
  type        = string
  default     = "changes"
  nullable    = false

  validation {
    condition     = contains(["changes", "every_scan"], var.notify_on)
    error_message = "notify_on is \"${var.notify_on}\"; expected \"changes\" or \"every_scan\"."
  }
}

variable "notify_on_fixed" {
  description = "Whether to also report images whose only news is that findings were fixed or withdrawn."
  type        = bool
  default     = false
  nullable    = false
}

variable "notify_on_scan_failure" {
  description = "Whether to report failed scans."
  type        = bool
  default     = true
  nullable    = false
}

variable "remind_after" {
  description = <<-EOT
    Months, weeks and days, in the form of images_duration_delta; null for never. An image that is at or above a
    threshold and was last reported that long ago is named again after its next scan, in one short list of reminders.
  EOT
  type        = string
  default     = "30d"

  validation {
    condition = var.remind_after == null ? true : (
      can(regex(local.duration_regexp, var.remind_after)) &&
      can(regex("[1-9]", var.remind_after))
    )
    error_message = join("", [
      "remind_after is ${jsonencode(var.remind_after)}; ",
      "expected ${local.duration_form}, or null for never.",
    ])
  }
}

variable "report_window" {
  description = <<-EOT
    Seconds, at most 43200 (12 hours), for which results of scans that the module did not start (most of them on push)
    are collected into one report. The results of a scheduled run are reported together when the last one is in.
  EOT
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition = var.report_window >= 0 && var.report_window <= 43200 && floor(var.report_window) == var.report_window
    error_message = join("", [
      "report_window is ${var.report_window}; ",
      "expected a whole number of seconds from 0 to 43200 (12 hours).",
    ])
  }
}

variable "group_by" {
  description = <<-EOT
    Python regular expression with one capture group, matched from the start of a repository name. Repositories with
    the same capture share a report: "^([^/]+)/" makes one report per first path segment, such as a team. Null for
    one report about all repositories.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.group_by == null ? true : length(var.group_by) >= 1 && length(var.group_by) <= 512
    error_message = join("", [
      "group_by has ${var.group_by == null ? 0 : length(var.group_by)} characters; ",
      "expected a Python regular expression of 1 to 512 characters (a function's environment holds 4 KB in total), or ",
      "null for one report about all repositories.",
    ])
  }

  # "\(" is a literal parenthesis and "(?:" does not capture, but "(?P<name>" does. Python checks everything else.
  validation {
    condition = var.group_by == null ? true : can(regex("(?s)^([^\\\\]|\\\\.)*[(]([^?]|[?]P<)", var.group_by))
    error_message = join("", [
      "group_by is ${jsonencode(var.group_by)}; ",
      "expected a Python regular expression with one group, such as \"^([^/]+)/\", or null for one report.",
    ])
  }
}

################################################################################
# Overview
################################################################################

variable "overview_schedule" {
  description = <<-EOT
    When to publish the overview: an EventBridge cron expression in UTC, such as "cron(0 7 ? * MON *)", or a rate, such
    as "rate(7 days)". Null for none.
  EOT
  type        = string
  default     = "cron(0 7 ? * MON *)"

  # EventBridge accepts the singular for 1 and the plural for all other numbers, and rejects the rest only at apply.
  validation {
    condition = var.overview_schedule == null ? true : startswith(var.overview_schedule, "cron(") || can(regex(
      "^(1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))$",
      try(regex("^rate\\((.*)\\)$", var.overview_schedule)[0], var.overview_schedule),
    ))
    error_message = join("", [
      "overview_schedule is ${jsonencode(var.overview_schedule)}; ",
      "expected a cron expression, such as \"cron(0 7 ? * MON *)\"; \"1 day\" or a whole number from 2 with ",
      "\"minutes\", \"hours\" or \"days\", such as \"7 days\", bare or as \"rate(7 days)\"; or null for none.",
    ])
  }

  validation {
    condition = var.overview_schedule == null ? true : !startswith(var.overview_schedule, "cron(") || can(regex(
      "^cron\\([0-9,*/-]+ [0-9,*/-]+ [0-9,*/?LW-]+ [0-9A-Za-z,*/-]+ [0-9A-Za-z,*/?#-]+ [0-9,*/-]+\\)$",
      var.overview_schedule,
    ))
    error_message = join("", [
      "overview_schedule is ${jsonencode(var.overview_schedule)}; ",
      "expected six fields, separated by one space: minutes, hours, day of month, month, day of week, year, such as ",
      "\"cron(0 7 ? * MON *)\".",
    ])
  }

  validation {
    condition = var.overview_schedule == null ? true : !startswith(var.overview_schedule, "cron(") || try(
      (split(" ", var.overview_schedule)[2] == "?") != (split(" ", var.overview_schedule)[4] == "?"),
      true, # fewer fields: the rule above rejects it
    )
    error_message = join("", [
      "overview_schedule is ${jsonencode(var.overview_schedule)}; ",
      "expected a cron expression with \"?\" as either day of month (third field) or day of week (fifth field), such ",
      "as \"cron(0 7 ? * MON *)\" or \"cron(0 7 1 * ? *)\".",
    ])
  }

  validation {
    condition = var.overview_schedule == null ? true : (
      length(var.overview_schedule) <= (can(regex("^(rate|cron)\\(", var.overview_schedule)) ? 256 : 250)
    )
    error_message = join("", [
      "overview_schedule has ${var.overview_schedule == null ? 0 : length(var.overview_schedule)} characters; ",
      "expected at most 256, with \"rate()\" around it.",
    ])
  }
}

################################################################################
# Functions
################################################################################

variable "functions" {
  description = <<-EOT
    Size of the functions.
    - `memory`: MB, 128 to 10240.
    - `timeout`: seconds, 1 to 900.
    - `concurrency`: for images_scanner and reporter, the maximum number of concurrent invocations (2 to 1000). For
      repositories_scanner, its reserved concurrency; null for none.
    - `threads`: concurrent calls per invocation of a scanner, 1 to 999.
  EOT
  type = object({
    repositories_scanner = optional(object({
      memory      = optional(number, 256)
      timeout     = optional(number, 300)
      concurrency = optional(number)
      threads     = optional(number, 16)
    }), {})
    images_scanner = optional(object({
      memory      = optional(number, 512)
      timeout     = optional(number, 900)
      concurrency = optional(number, 5)
      threads     = optional(number, 16)
    }), {})
    reporter = optional(object({
      memory      = optional(number, 512)
      timeout     = optional(number, 300)
      concurrency = optional(number, 2)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for function in values(var.functions) :
      function.memory >= 128 && function.memory <= 10240 && floor(function.memory) == function.memory
    ])
    error_message = join("", [
      "functions has memory ${join(", ", [for name, function in var.functions : "${function.memory} (${name})"])}; ",
      "expected a whole number of MB from 128 to 10240.",
    ])
  }

  validation {
    condition = alltrue([for function in values(var.functions) :
      function.timeout >= 1 && function.timeout <= 900 && floor(function.timeout) == function.timeout
    ])
    error_message = join("", [
      "functions has timeout ${join(", ", [for name, function in var.functions : "${function.timeout} (${name})"])}; ",
      "expected a whole number of seconds from 1 to 900.",
    ])
  }

  validation {
    condition = alltrue([for function in [var.functions.images_scanner, var.functions.reporter] :
      function.concurrency >= 2 && function.concurrency <= 1000 && floor(function.concurrency) == function.concurrency
    ])
    error_message = join("", [
      "functions has concurrency ${var.functions.images_scanner.concurrency} (images_scanner), ",
      "${var.functions.reporter.concurrency} (reporter); ",
      "expected a whole number from 2 to 1000: Lambda's limits for a queue.",
    ])
  }

  validation {
    condition = (var.functions.repositories_scanner.concurrency == null ? true :
      var.functions.repositories_scanner.concurrency >= 1 &&
      floor(var.functions.repositories_scanner.concurrency) == var.functions.repositories_scanner.concurrency
    )
    error_message = join("", [
      "functions has concurrency ${jsonencode(var.functions.repositories_scanner.concurrency)} ",
      "(repositories_scanner); ",
      "expected a whole number from 1, or null for none reserved; to stop it, set enabled to false.",
    ])
  }

  validation {
    condition = alltrue([for function in [var.functions.repositories_scanner, var.functions.images_scanner] :
      function.threads >= 1 && function.threads <= 999 && floor(function.threads) == function.threads
    ])
    error_message = join("", [
      "functions has threads ${var.functions.repositories_scanner.threads} (repositories_scanner), ",
      "${var.functions.images_scanner.threads} (images_scanner); ",
      "expected a whole number from 1 to 999.",
    ])
  }
}

variable "architecture" {
  description = <<-EOT
    Instruction set of the functions: "arm64" or "x86_64". arm64 costs 20 % less per second. The package has no compiled
    code and runs on both.
  EOT
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\"; expected \"arm64\" or \"x86_64\"."
  }
}

variable "vpc_config" {
  description = <<-EOT
    Subnets and security groups of the functions; null to run them outside of a VPC. The subnets need a route to the
    APIs of ECR, SQS, SNS and DynamoDB, through NAT or VPC endpoints, and the security groups have to allow HTTPS to
    them.
  EOT
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition = var.vpc_config == null ? true : (
      try(length(var.vpc_config.subnet_ids), 0) >= 1 && try(length(var.vpc_config.security_group_ids), 0) >= 1
    )
    error_message = join("", [
      "vpc_config is ${jsonencode(var.vpc_config)}; ",
      "expected at least one subnet and one security group, or null.",
    ])
  }
}

variable "environment_variables" {
  description = "Additional environment variables of all functions, such as AWS_ENDPOINT_URL_ECR."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for name in keys(var.environment_variables) :
      can(regex("^[A-Za-z][A-Za-z0-9_]+$", name))
    ])
    error_message = join("", [
      "environment_variables has ${join(", ", keys(var.environment_variables))}; ",
      "expected names of two or more letters, digits and underscores that begin with a letter.",
    ])
  }

  validation {
    condition = length(setintersection(keys(var.environment_variables), local.module_environment_variables)) == 0
    error_message = join("", [
      "environment_variables has ",
      "${join(", ", setintersection(keys(var.environment_variables), local.module_environment_variables))}; ",
      "expected any except those that the module sets from its other inputs: ",
      "${join(", ", local.module_environment_variables)}.",
    ])
  }

  validation {
    condition = length(setintersection(keys(var.environment_variables), local.lambda_environment_variables)) == 0
    error_message = join("", [
      "environment_variables has ",
      "${join(", ", setintersection(keys(var.environment_variables), local.lambda_environment_variables))}; ",
      "expected any except those that Lambda sets itself: ${join(", ", local.lambda_environment_variables)}.",
    ])
  }

  validation {
    condition = length(jsonencode(var.environment_variables)) <= 768
    error_message = join("", [
      "environment_variables has ${length(jsonencode(var.environment_variables))} characters as JSON; ",
      "expected at most 768: a function's environment holds 4 KB in total.",
    ])
  }
}

variable "tracing" {
  description = "Whether AWS X-Ray traces the functions. AWS bills traces."
  type        = bool
  default     = false
  nullable    = false
}

# Lambda drops lines below the level, and with them the metrics that they carry: CloudWatch extracts the metrics from
# lines of the level INFO. The alarms and the dashboard would silently go blind, so no higher level is accepted. To keep
# fewer logs, lower log_retention_days.
variable "log_level" {
  description = <<-EOT
    Lowest level of the functions' log lines to keep: "INFO" or "DEBUG". Higher levels would drop the metrics, which are
    part of lines of the level INFO. DEBUG logs the AWS SDK's requests and responses, including findings.
  EOT
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition = contains(["DEBUG", "INFO"], var.log_level)
    error_message = join("", [
      "log_level is \"${var.log_level}\"; ",
      "expected \"DEBUG\" or \"INFO\": a higher level drops the lines that carry the metrics.",
    ])
  }
}

variable "log_retention_days" {
  description = "Days to keep the logs of the functions; 0 keeps them forever."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains([
      0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = join("", [
      "log_retention_days is ${var.log_retention_days}; ",
      "expected 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, ",
      "3653, or 0 to keep them forever.",
    ])
  }
}

################################################################################
# Encryption, permissions and protection
################################################################################

variable "kms_key_arn" {
  description = <<-EOT
    ARN of a customer managed KMS key of the same Region, which encrypts the queues, the topics, the table, the logs and
    the functions' environment variables. Its key policy has to allow the AWS services that docs/encryption.md lists.
    Null for AWS's own encryption, which is free.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.kms_key_arn == null || can(regex(
      "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn,
    ))
    error_message = join("", [
      "kms_key_arn is ${jsonencode(var.kms_key_arn)}; ",
      "expected the ARN of a key (not of an alias), such as ",
      "\"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\", or null for none.",
    ])
  }

  # Another account may own the key.
  validation {
    condition = alltrue([for place, part in local.arn_parts :
      place == "4" || try(split(":", var.kms_key_arn)[place] == part, true)
    ])
    error_message = join("", [
      "kms_key_arn is ${jsonencode(var.kms_key_arn)}; ",
      "expected a key of this Region, \"arn:${local.partition}:kms:${local.region}:...\", or null for none.",
    ])
  }
}

variable "role_path" {
  description = "IAM path of the functions' roles, such as \"/security/\"."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition = length(var.role_path) <= 512 && can(regex("^/([!-.0-~]+/)*$", var.role_path))
    error_message = join("", [
      "role_path is \"${var.role_path}\"; ",
      "expected \"/\", or a path such as \"/security/\", of at most 512 characters.",
    ])
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that is the permissions boundary of the functions' roles; null for none."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary == null || can(regex(
      "^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[^\\s]+$", var.permissions_boundary,
    ))
    error_message = join("", [
      "permissions_boundary is ${jsonencode(var.permissions_boundary)}; ",
      "expected the ARN of an IAM policy, such as \"arn:aws:iam::123456789012:policy/boundary\", or null for none.",
    ])
  }
}

variable "exclusive_role_policies" {
  description = <<-EOT
    Whether to remove policies, inline and attached, that someone else adds to the functions' roles: a plan shows them,
    and an apply removes them. Keep it false if you add policies to the roles yourself.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "memory_deletion_protection" {
  description = <<-EOT
    Whether to protect the DynamoDB table from deletion. With true, `terraform destroy` and another `name` fail, but only
    after everything else is gone, because the table comes last: set it to false and apply first. If one has failed, an
    apply with the old inputs creates the rest again.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

################################################################################
# Alarms and dashboard
################################################################################

variable "create_alarms" {
  description = <<-EOT
    Whether to create the CloudWatch alarms and their topic. They watch for messages in a DLQ, lost scan events, errors
    and throttles of a function, messages that wait too long, overdue scans, and runs that did not happen. CloudWatch
    bills each alarm.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "disabled_alarms" {
  description = <<-EOT
    Alarms not to create: images_dlq, reports_dlq, events_lost, images_queue_age, reports_queue_age, overdue_scans,
    silence; and the errors or throttles of a function, such as reporter_errors and images_scanner_throttles.
  EOT
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = length(setsubtract(var.disabled_alarms, local.alarm_keys)) == 0
    error_message = join("", [
      "disabled_alarms has ${join(", ", setsubtract(var.disabled_alarms, local.alarm_keys))}; ",
      "expected ${join(", ", local.alarm_keys)}.",
    ])
  }
}

variable "alarm_actions" {
  description = <<-EOT
    ARNs of the actions of this Region that CloudWatch takes when an alarm fires and when it ends, in addition to
    notifying the topic in alarms_topic_arn: at most four, such as the topic of a pager.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  # CloudWatch allows five for each state of an alarm; one is the module's own topic.
  validation {
    condition = length(var.alarm_actions) <= 4 && alltrue([for arn in var.alarm_actions :
      can(regex("^arn:[a-z-]+:[a-z0-9-]+:", arn))
    ])
    error_message = "alarm_actions is ${jsonencode(var.alarm_actions)}; expected at most four ARNs."
  }

  # Another account may own an action, and the ARNs of some kinds have no Region.
  validation {
    condition = alltrue([for arn in var.alarm_actions : alltrue([for place, part in local.arn_parts :
      place == "4" || contains(["", part], try(split(":", arn)[place], ""))
    ])])
    error_message = join("", [
      "alarm_actions is ${jsonencode(var.alarm_actions)}; ",
      "expected ARNs of this Region, such as \"${local.arn_prefixes.sns}:pager\".",
    ])
  }

  validation {
    condition = var.create_alarms || length(var.alarm_actions) == 0
    error_message = join("", [
      "alarm_actions is ${jsonencode(var.alarm_actions)} and create_alarms is false; ",
      "expected none, or create_alarms = true.",
    ])
  }
}

variable "alarm_email" {
  description = <<-EOT
    Email address that receives the alarms; null for none. AWS sends it a link, which confirms the subscription and is
    valid for two days.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", var.alarm_email))
    error_message = join("", [
      "alarm_email is ${jsonencode(var.alarm_email)}; ",
      "expected one address, such as \"operations@example.com\", or null for none.",
    ])
  }

  validation {
    condition = var.create_alarms || var.alarm_email == null
    error_message = join("", [
      "alarm_email is ${jsonencode(var.alarm_email)} and create_alarms is false; ",
      "expected null, or create_alarms = true.",
    ])
  }
}

variable "create_dashboard" {
  description = <<-EOT
    Whether to create a CloudWatch dashboard. It shows whether the module runs, what is stuck, what it found and what
    AWS refused. Its name ends with the Region. CloudWatch bills dashboards beyond the first three of an account.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "dashboard_widget" {
  description = <<-EOT
    Whether to add the state of the registry to the module's dashboard, as a custom widget, and to create the function
    behind it. Other dashboards can show it too: add a custom widget with the ARN in console_widget_function_arn. To see
    it, people need lambda:InvokeFunction on the function, whose role can only read the table.
  EOT
  type        = bool
  default     = false
  nullable    = false
}
