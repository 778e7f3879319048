# No input is an object: Terraform drops an attribute that an object type does not have before a validation can see it,
# and with a misspelled one an alert, or the limit to some repositories. Maps keep what is given. attribute_defaults.tf
# has their attributes.

################################################################################
# Instance
################################################################################

variable "name" {
  description = <<-EOT
    Name of this instance. The names of all resources derive from it. IAM role names are global, so instances in one
    account need different names, even in different Regions. If another instance has the name, an apply fails at the
    table in memory_table_name, and changes nothing. A resource name that is too long for AWS is cut and gets a hash.
    Another name replaces all resources, the memory and the confirmed addresses included; what can be kept:
    https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/main/docs/operations.md#rename.
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
    Whether the EventBridge rules are enabled: the schedule, the first run, the scan events and the overview. With false, no run
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
    condition = alltrue([for value in values(var.tags) : value != null])
    error_message = join("", [
      "tags has null as ${join(", ", [for key, value in var.tags : key if value == null])}; ",
      "expected a text, or no such tag.",
    ])
  }

  # IAM takes them for one tag, and rejects both only at apply.
  validation {
    condition = length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = join("", [
      "tags has ${join(", ", flatten([for keys in values({ for key in keys(var.tags) : lower(key) => key... }) :
        keys if length(keys) > 1
      ]))}; ",
      "expected keys that differ in more than upper and lower case.",
    ])
  }

  validation {
    condition = length(var.tags) <= 50 && alltrue([for key, value in var.tags :
      length(key) >= 1 && length(key) <= 128 && try(length(value) <= 256, value == null) && !startswith(lower(key), "aws:")
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
      "^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.rate,
    ))
    error_message = join("", [
      "rate is \"${var.rate}\"; ",
      "expected six fields, separated by one space: minutes, hours, day of month, month, day of week, year, such as ",
      "\"cron(0 4 * * ? *)\".",
    ])
  }

  validation {
    condition = !startswith(var.rate, "cron(") || alltrue([for index, field in local.cron_fields :
      can(regex(field.regexp, try(regexall("[^ ()]+", var.rate)[index + 1], "*")))
    ])
    error_message = join("", [
      "rate is \"${var.rate}\"; expected ",
      join(", and ", [for index, field in local.cron_fields : field.expected
        if !can(regex(field.regexp, try(regexall("[^ ()]+", var.rate)[index + 1], "*")))
      ]),
      "; lists (1,15), ranges (1-5) and steps (0/15) of them; * for all.",
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
    reported: ".*" is all repositories, "team-a/" a prefix, "(?!sandbox/)" everything except a prefix. This and all
    other regular expressions may not repeat what can match one text in two ways, such as (a+)+ or (a|aa)*: it could
    take years to match a name that someone else chooses. The simplest are refused at plan, the others when the
    functions start. A repository whose name takes too long to match is scanned and reported.
  EOT
  type        = string
  default     = ".*"
  nullable    = false

  validation {
    condition = length(var.repositories_filter_regexp) >= 1 && length(var.repositories_filter_regexp) <= 512
    error_message = join("", [
      "repositories_filter_regexp has ${length(var.repositories_filter_regexp)} characters; ",
      "expected a Python regular expression of 1 to 512 characters (a function's environment holds 4 KB in total); ",
      "\".*\" for every repository.",
    ])
  }

  validation {
    condition = can(try(
      regex(local.python_only_regexp, var.repositories_filter_regexp),
      regexall(replace(var.repositories_filter_regexp, local.lookaround_regexp, "(?:"), ""),
    )) && !can(regex(local.ambiguous_regexp, var.repositories_filter_regexp))
    error_message = join("", [
      "repositories_filter_regexp is ${jsonencode(var.repositories_filter_regexp)}; ",
      "expected a Python regular expression, such as \"team-a/\", without a repeated repetition such as (a+)+.",
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
      length(var.repositories_exclude_regexp) >= 1 && length(var.repositories_exclude_regexp) <= 256
    )
    error_message = join("", [
      "repositories_exclude_regexp has ",
      "${var.repositories_exclude_regexp == null ? 0 : length(var.repositories_exclude_regexp)} characters; ",
      "expected a Python regular expression of 1 to 256 characters (a function's environment holds 4 KB in total), or ",
      "null for none.",
    ])
  }

  validation {
    condition = var.repositories_exclude_regexp == null ? true : can(try(
      regex(local.python_only_regexp, var.repositories_exclude_regexp),
      regexall(replace(var.repositories_exclude_regexp, local.lookaround_regexp, "(?:"), ""),
    )) && !can(regex(local.ambiguous_regexp, var.repositories_exclude_regexp))
    error_message = join("", [
      "repositories_exclude_regexp is ${jsonencode(var.repositories_exclude_regexp)}; ",
      "expected a Python regular expression, such as \"sandbox/\", without a repeated repetition such as (a+)+; or null for none.",
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
    Which images of a repository to scan: an object; all by default. An image must meet every condition that is set.
    - `tagged_only`: only images with a tag; a child of a tagged index counts as tagged.
    - `tag_regexp`: only images with a tag that this Python regular expression matches from its start.
    - `newest`: only this many images of each repository, those pushed last; applied after the other conditions.
    - `pushed_within`: only images pushed within this time, such as "30d".
    - `pulled_within`: only images pulled within this time, as ECR recorded it.
  EOT
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.images_selection), keys(local.forms.images_selection))) == 0
    error_message = join("", [
      "images_selection has ",
      "${join(", ", setsubtract(keys(var.images_selection), keys(local.forms.images_selection)))}; ",
      "expected ${join(", ", keys(local.forms.images_selection))}.",
    ])
  }

  validation {
    condition = can(tobool(lookup(var.images_selection, "tagged_only", null)))
    error_message = join("", [
      "images_selection has tagged_only ${jsonencode(lookup(var.images_selection, "tagged_only", null))}; ",
      "expected true or false.",
    ])
  }

  validation {
    condition = lookup(var.images_selection, "tag_regexp", null) == null ? true : (
      length(var.images_selection.tag_regexp) >= 1 && length(var.images_selection.tag_regexp) <= 512
    )
    error_message = join("", [
      "images_selection has a tag_regexp of ${try(length(var.images_selection.tag_regexp), 0)} characters; ",
      "expected a Python regular expression of 1 to 512 characters, or null for any tag.",
    ])
  }

  validation {
    condition = lookup(var.images_selection, "tag_regexp", null) == null ? true : can(try(
      regex(local.python_only_regexp, var.images_selection.tag_regexp),
      regexall(replace(var.images_selection.tag_regexp, local.lookaround_regexp, "(?:"), ""),
    )) && !can(regex(local.ambiguous_regexp, var.images_selection.tag_regexp))
    error_message = join("", [
      "images_selection has tag_regexp ${jsonencode(lookup(var.images_selection, "tag_regexp", null))}; ",
      "expected a Python regular expression, such as \"v[0-9]\", without a repeated repetition such as (a+)+; or null.",
    ])
  }

  validation {
    condition = lookup(var.images_selection, "newest", null) == null ? true : can(regex(
      "^[1-9][0-9]*$", var.images_selection.newest,
    ))
    error_message = join("", [
      "images_selection has newest ${try(coalesce(var.images_selection.newest), "null")}; ",
      "expected a whole number from 1, or null for all.",
    ])
  }

  validation {
    condition = alltrue([for name in ["pushed_within", "pulled_within"] :
      lookup(var.images_selection, name, null) == null ? true : (
        can(regex(local.duration_regexp, var.images_selection[name])) &&
        can(regex("[1-9]", var.images_selection[name]))
      )
    ])
    error_message = join("", [
      "images_selection has ",
      join(" and ", [for name in ["pushed_within", "pulled_within"] :
        "${name} ${jsonencode(lookup(var.images_selection, name, null))}"
      ]),
      "; expected ${local.duration_form}, or null for any.",
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
    Additional subscriptions to the reports topic: objects, keyed by a name that you choose.
    - `protocol`: required; sqs, lambda, http, https, email, email-json, sms, firehose or application.
    - `endpoint`: required; where SNS delivers to. The endpoint's own policy must allow it.
    - `filter_policy`: JSON object that selects messages; null for all of them. For email, null selects the first
      message of each report: it has the whole text, and further messages are for programs only.
    - `filter_policy_scope`: MessageAttributes (SNS's default) or MessageBody.
    - `raw_message_delivery`: whether to deliver without the SNS envelope (sqs, http, https, firehose).
    - `subscription_role_arn`: role that SNS uses to write to a firehose.
  EOT
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) : subscription != null])
    error_message = join("", [
      "subscriptions has null as ",
      "${join(", ", [for name, subscription in var.subscriptions : name if subscription == null])}; ",
      "expected an object with protocol and endpoint, or no such key.",
    ])
  }

  validation {
    condition = length(setsubtract(
      flatten([for subscription in values(var.subscriptions) : keys(coalesce(subscription, {}))]),
      keys(local.forms.subscriptions),
    )) == 0
    error_message = join("", [
      "subscriptions has ",
      join(", ", flatten([for name, subscription in var.subscriptions :
        [for attribute in keys(coalesce(subscription, {})) :
          "${attribute} (${name})" if !contains(keys(local.forms.subscriptions), attribute)
        ]
      ])),
      "; expected ${join(", ", keys(local.forms.subscriptions))}.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(contains(local.subscription_protocols, subscription.protocol), subscription == null)
    ])
    error_message = join("", [
      "subscriptions has protocol ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.protocol, null))} (${name})"
      ]),
      "; expected ${join(", ", local.subscription_protocols)}.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(trimspace(subscription.endpoint) != "", subscription == null)
    ])
    error_message = join("", [
      "subscriptions has endpoint ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.endpoint, null))} (${name})"
      ]),
      "; expected where the protocol delivers to, such as the ARN of a queue, an address or a URL.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(subscription.filter_policy, null) == null ? true : can(keys(jsondecode(subscription.filter_policy)))
    ])
    error_message = join("", [
      "subscriptions has filter_policy ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.filter_policy, null))} (${name})"
      ]),
      "; expected a JSON object, such as jsonencode({ severity = [\"CRITICAL\"] }), or null for every report.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(subscription.filter_policy_scope, null) == null ? true : contains(
        ["MessageAttributes", "MessageBody"], subscription.filter_policy_scope,
      )
    ])
    error_message = join("", [
      "subscriptions has filter_policy_scope ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.filter_policy_scope, null))} (${name})"
      ]),
      "; expected MessageAttributes, MessageBody, or null.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(subscription.filter_policy_scope, null) == null || try(subscription.filter_policy, null) != null
    ])
    error_message = join("", [
      "subscriptions has filter_policy_scope without filter_policy: ",
      join(", ", [for name, subscription in var.subscriptions :
        name if try(subscription.filter_policy_scope, null) != null && try(subscription.filter_policy, null) == null
      ]),
      "; expected both, filter_policy alone, or neither.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      can(tobool(try(subscription.raw_message_delivery, null)))
    ])
    error_message = join("", [
      "subscriptions has raw_message_delivery ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.raw_message_delivery, null))} (${name})"
      ]),
      "; expected true, false or null.",
    ])
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      try(tobool(subscription.raw_message_delivery), null) != true || try(
        contains(["sqs", "http", "https", "firehose"], subscription.protocol), false,
      )
    ])
    error_message = join("", [
      "subscriptions has raw_message_delivery with protocol ",
      join(", ", [for name, subscription in var.subscriptions :
        "${jsonencode(try(subscription.protocol, null))} (${name})"
        if try(tobool(subscription.raw_message_delivery), null) == true
      ]),
      "; expected true with sqs, http, https, firehose; false or null with all.",
    ])
  }

  # SNS accepts neither a firehose without a role nor a role with another protocol, and rejects them only at apply.
  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      (try(subscription.protocol, null) == "firehose") == (try(subscription.subscription_role_arn, null) != null)
    ])
    error_message = join("", [
      "subscriptions has subscription_role_arn ",
      join(", ", [for name, subscription in var.subscriptions :
        join(" ", [
          jsonencode(try(subscription.subscription_role_arn, null)),
          "with protocol ${jsonencode(try(subscription.protocol, null))} (${name})",
        ])
      ]),
      "; expected the ARN of a role with firehose, null with all others.",
    ])
  }
}

variable "reports_topic_arn" {
  description = <<-EOT
    ARN of an existing SNS topic of this account and Region to publish the reports to; null to create one. You manage
    the policy and the subscriptions of your topic, so email and subscriptions have to be unset. For a topic of the same
    configuration, write trimspace(aws_sns_topic.NAME.arn): Terraform has to know at plan that the ARN is not null. If a
    customer managed key encrypts it, that key has to be kms_key_arn, or the role in reporter_role_name needs
    kms:Decrypt and kms:GenerateDataKey on it.
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

variable "subject_prefix" {
  description = <<-EOT
    What every subject and chat title begins with. Tells instances apart that report to one place, such as
    "[ECR prod]".
  EOT
  type        = string
  default     = "[ECR]"
  nullable    = false

  validation {
    condition = can(regex("^[!-~]([ -~]{0,28}[!-~])?$", var.subject_prefix))
    error_message = join("", [
      "subject_prefix is ${jsonencode(var.subject_prefix)}; ",
      "expected 1 to 30 printable ASCII characters, without a space at either end.",
    ])
  }
}

variable "account_name" {
  description = "The name of the account, such as \"prod\", which messages show beside its number."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[^[:cntrl:]]{0,60}$", var.account_name))
    error_message = "account_name is ${jsonencode(var.account_name)}; expected one line of at most 60 characters."
  }
}

variable "contact" {
  description = "Whom to ask about a message, such as \"platform-team@example.com\" or \"#platform in Slack\". Every mail names it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[^[:cntrl:]]{0,100}$", var.contact))
    error_message = "contact is ${jsonencode(var.contact)}; expected one line of at most 100 characters."
  }
}

################################################################################
# Reports
################################################################################

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

variable "fix_within" {
  description = <<-EOT
    Days within which a finding should be fixed, by severity, by EXPLOITED for findings with a known exploit, and by KEV
    for those that are known to be exploited (known_exploited). They count from the first scan of the application that
    had the finding, and those of KEV not before CISA's catalog had it; a rebuild does not restart them. KEV = "catalog"
    is as many days as CISA gives. A finding that passes its deadline is reported on that day, once; a change of this
    input counts within a day. Null for no deadlines.
  EOT
  type        = map(any)
  default     = null

  validation {
    condition = (var.fix_within == null ? true :
      length(setsubtract(keys(var.fix_within), local.fix_within_keys)) == 0
    )
    error_message = join("", [
      "fix_within has ",
      "${join(", ", try(setsubtract(keys(var.fix_within), local.fix_within_keys), []))}; ",
      "expected ${join(", ", local.fix_within_keys)}.",
    ])
  }

  validation {
    condition = var.fix_within == null ? true : alltrue([for key, days in var.fix_within :
      days == null ? false : "${key} ${days}" == "KEV catalog" || try(
        tonumber(days) >= 1 && tonumber(days) <= 3650 && floor(tonumber(days)) == tonumber(days), false
      )
    ])
    error_message = join("", [
      "fix_within is ${jsonencode(var.fix_within)}; ",
      "expected whole numbers of days from 1 to 3650, \"catalog\" for KEV, or null for none.",
    ])
  }

  validation {
    condition = var.known_exploited || !contains(try(keys(var.fix_within), []), "KEV")
    error_message = join("", [
      "fix_within has KEV, and known_exploited is false; ",
      "expected known_exploited = true, without which nothing is known of the catalog, or no KEV.",
    ])
  }
}

variable "known_exploited" {
  description = <<-EOT
    Whether to read CISA's catalog of known exploited vulnerabilities (KEV) once a day. A finding that is open when its
    CVE enters the catalog is then reported within a day, whatever its severity, once; so is a new finding that is in
    there. https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/main/docs/known-exploited.md has more.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "known_exploited_feed" {
  description = <<-EOT
    Where that catalog is, in CISA's JSON format: an https address of a public host, or s3://BUCKET/KEY for a copy that
    something else keeps up to date, such as for a VPC without a way to the Internet.
  EOT
  type        = string
  default     = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
  nullable    = false

  validation {
    condition = can(regex(
      "^(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)[!-~]{1,500}$",
      var.known_exploited_feed
    ))
    error_message = join("", [
      "known_exploited_feed is ${jsonencode(var.known_exploited_feed)}; ",
      "expected an address such as \"https://host/file.json\" or \"s3://bucket/key.json\".",
    ])
  }
}

variable "ignore_kernel_headers" {
  description = <<-EOT
    Whether to ignore findings in packages with nothing of the kernel but its headers, such as linux-libc-dev and
    kernel-headers: a container runs the kernel of its host. Reports and overviews count them.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

# ignored_findings.tf checks the rules.
variable "ignored_findings" {
  description = <<-EOT
    Rules for findings that should not be reported: a list of objects. The first rule that matches a finding counts.
    - `id`: ID of a vulnerability, such as CVE-2026-1234; aliases match too. Either this, or
    - `package`: name of a package.
    - `reason`: why the findings can be ignored; reports show it.
    - `owner`: who is responsible for the decision.
    - `expires`: first day (UTC) on which the rule no longer holds, such as "2026-12-31", at most a year ahead. Either
      this, or
    - `until_fixed`: true for a rule that ends when a fix is known. Only enhanced scanning knows fixes.
    - `repositories`: Python regular expression, matched from the start of a repository name; all by default.
  EOT
  type        = list(map(string))
  default     = []
  nullable    = false

  # ignored_findings.tf has the other checks.
  validation {
    condition = alltrue([for rule in var.ignored_findings : rule != null])
    error_message = join("", [
      "ignored_findings has null as ",
      "${join(", ", [for index, rule in var.ignored_findings : "rule ${index}" if rule == null])}; ",
      "expected an object, or no such rule.",
    ])
  }
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

variable "quiet_hours" {
  description = <<-EOT
    Windows of the week in which no report is published, at most three. What waits comes as one report at their end.
    - `["FRI 18:00-MON 08:00"]`: one window, a weekend.
    - `["MON-THU 20:00-07:00"]`: on each of these days; it ends on the next one, as seven is earlier than twenty.
    - `["22:00-06:00"]`: on each day.

    The first inventory waits as well. Overviews, alarms and exports do not.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = length(var.quiet_hours) <= 3 && alltrue([for window in var.quiet_hours :
      can(regex("^((${local.weekday})(-(${local.weekday}))? )?${local.clock}-${local.clock}$", window)) ||
      can(regex("^(${local.weekday}) ${local.clock}-(${local.weekday}) ${local.clock}$", window))
    ])
    error_message = join("", [
      "quiet_hours is ${jsonencode(var.quiet_hours)}; expected at most three windows such as \"FRI 18:00-MON 08:00\", ",
      "\"MON-THU 20:00-07:00\", \"SAT 09:00-17:00\" or \"22:00-06:00\".",
    ])
  }
}

variable "quiet_hours_time_zone" {
  description = <<-EOT
    The time zone by whose clock quiet_hours begin and end, such as "Europe/Berlin". The reporter checks the name when it
    starts.
  EOT
  type        = string
  default     = "UTC"
  nullable    = false

  validation {
    condition = length(var.quiet_hours_time_zone) <= 40 && can(regex(
      "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$", var.quiet_hours_time_zone,
    ))
    error_message = join("", [
      "quiet_hours_time_zone is ${jsonencode(var.quiet_hours_time_zone)}; ",
      "expected the name of a time zone, such as \"Europe/Berlin\" or \"UTC\".",
    ])
  }
}

variable "quiet_hours_let_exploited_through" {
  description = <<-EOT
    Whether an image is reported in quiet_hours all the same if the news is that an exploit is known of a finding, or about
    a finding with a known exploit, or one that is known to be exploited (known_exploited). It is then reported within
    report_window, at any time. Only Amazon Inspector (enhanced scanning) knows exploits.
  EOT
  type        = bool
  default     = false
  nullable    = false
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
    condition = var.group_by == null ? true : length(var.group_by) >= 1 && length(var.group_by) <= 256
    error_message = join("", [
      "group_by has ${var.group_by == null ? 0 : length(var.group_by)} characters; ",
      "expected a Python regular expression of 1 to 256 characters (a function's environment holds 4 KB in total), or ",
      "null for one report about all repositories.",
    ])
  }

  validation {
    condition = var.group_by == null ? true : can(try(
      regex(local.python_only_regexp, var.group_by),
      regexall(replace(var.group_by, local.lookaround_regexp, "(?:"), ""),
    )) && !can(regex(local.ambiguous_regexp, var.group_by))
    error_message = join("", [
      "group_by is ${jsonencode(var.group_by)}; ",
      "expected a Python regular expression, such as \"^([^/]+)/\", without a repeated repetition such as (a+)+; or ",
      "null for one report.",
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
      "^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.overview_schedule,
    ))
    error_message = join("", [
      "overview_schedule is ${jsonencode(var.overview_schedule)}; ",
      "expected six fields, separated by one space: minutes, hours, day of month, month, day of week, year, such as ",
      "\"cron(0 7 ? * MON *)\".",
    ])
  }

  validation {
    condition = var.overview_schedule == null ? true : !startswith(var.overview_schedule, "cron(") || alltrue([for index, field in local.cron_fields :
      can(regex(field.regexp, try(regexall("[^ ()]+", var.overview_schedule)[index + 1], "*")))
    ])
    error_message = join("", [
      "overview_schedule is ${jsonencode(var.overview_schedule)}; expected ",
      join(", and ", [for index, field in local.cron_fields : field.expected
        if !can(regex(field.regexp, try(regexall("[^ ()]+", var.overview_schedule)[index + 1], "*")))
      ]),
      "; lists (1,15), ranges (1-5) and steps (0/15) of them; * for all.",
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
      length(var.overview_schedule) <= (can(regex("^(rate|cron)\\(", var.overview_schedule)) ? 100 : 94)
    )
    error_message = join("", [
      "overview_schedule has ${var.overview_schedule == null ? 0 : length(var.overview_schedule)} characters; ",
      "expected at most 100, with \"rate()\" around it: a function's environment holds 4 KB in total.",
    ])
  }
}

################################################################################
# Export
################################################################################

variable "export_bucket" {
  description = <<-EOT
    Name of an S3 bucket for exports: after each run, what is open is written there, as one gzipped NDJSON object per
    repository and one CSV file of all. Null for no exports. Whoever invokes the reporter with `{"export": true}` gets one
    at any time: https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/main/docs/export.md.
  EOT
  type        = string
  default     = null

  # "General purpose bucket naming rules" in https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  validation {
    condition     = var.export_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.export_bucket))
    error_message = "export_bucket is ${jsonencode(var.export_bucket)}; expected the name of a bucket, or null for no exports."
  }
}

variable "export_prefix" {
  description = "What the keys of all exports begin with. The reporter may write nothing else in the bucket."
  type        = string
  default     = "ecr-scan-reporter/"
  nullable    = false

  validation {
    condition = length(var.export_prefix) <= 80 && can(regex("^([A-Za-z0-9_.=-]+/)*$", var.export_prefix))
    error_message = join("", [
      "export_prefix is ${jsonencode(var.export_prefix)}; ",
      "expected folders such as \"security/ecr/\", of letters, digits, _, ., = and -, at most 80 characters, or \"\".",
    ])
  }
}

variable "export_bucket_owner" {
  description = <<-EOT
    The account that the bucket is in, if it is another one. S3 rejects what is written to a bucket of the same name that
    someone else has.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.export_bucket_owner == null || can(regex("^[0-9]{12}$", var.export_bucket_owner))
    error_message = join("", [
      "export_bucket_owner is ${jsonencode(var.export_bucket_owner)}; ",
      "expected an account of 12 digits, or null for this one.",
    ])
  }
}

variable "export_kms_key_arn" {
  description = <<-EOT
    ARN of the KMS key that encrypts the exports. Null for the bucket's own encryption: if that is a key of yours, name it
    here, so that the reporter may use it.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.export_kms_key_arn == null || can(regex(
      "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.export_kms_key_arn,
    ))
    error_message = join("", [
      "export_kms_key_arn is ${jsonencode(var.export_kms_key_arn)}; ",
      "expected the ARN of a key (not of an alias), such as ",
      "\"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\", or null for none.",
    ])
  }
}

################################################################################
# Functions
################################################################################

variable "functions" {
  description = <<-EOT
    Sizes of the functions repositories_scanner, images_scanner and reporter: an object of objects. The defaults are in
    https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/main/docs/inputs.md#attributes.
    - `memory`: MB, 128 to 10240.
    - `timeout`: seconds, 1 to 900.
    - `concurrency`: for images_scanner and reporter, the maximum number of concurrent invocations (2 to 1000). For
      repositories_scanner, its reserved concurrency; null for none.
    - `threads`: concurrent calls per invocation of a scanner, 1 to 999.
  EOT
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.functions), keys(local.forms.functions))) == 0
    error_message = join("", [
      "functions has ${join(", ", setsubtract(keys(var.functions), keys(local.forms.functions)))}; ",
      "expected ${join(", ", keys(local.forms.functions))}.",
    ])
  }

  validation {
    condition = alltrue([for name, form in local.forms.functions :
      length(setsubtract(try(keys(var.functions[name]), []), keys(form))) == 0
    ])
    error_message = join("", [
      "functions has ",
      join(", ", flatten([for name, form in local.forms.functions :
        [for attribute in setsubtract(try(keys(var.functions[name]), []), keys(form)) : "${attribute} (${name})"]
      ])),
      "; expected ",
      join("; ", [for name, form in local.forms.functions : "${join(", ", keys(form))} (${name})"]),
      ".",
    ])
  }

  # The inputs are texts here, which arithmetic turns into numbers.
  validation {
    condition = alltrue([for memory in [for function in values(var.functions) : try(function.memory, null)] :
      memory == null ? true : try(memory >= 128 && memory <= 10240 && memory % 1 == 0, false)
    ])
    error_message = join("", [
      "functions has memory ",
      join(", ", [for name, function in var.functions :
        "${function.memory} (${name})" if try(function.memory, null) != null
      ]),
      "; expected a whole number of MB from 128 to 10240.",
    ])
  }

  validation {
    condition = alltrue([for timeout in [for function in values(var.functions) : try(function.timeout, null)] :
      timeout == null ? true : try(timeout >= 1 && timeout <= 900 && timeout % 1 == 0, false)
    ])
    error_message = join("", [
      "functions has timeout ",
      join(", ", [for name, function in var.functions :
        "${function.timeout} (${name})" if try(function.timeout, null) != null
      ]),
      "; expected a whole number of seconds from 1 to 900.",
    ])
  }

  validation {
    condition = alltrue([for threads in [for function in values(var.functions) : try(function.threads, null)] :
      threads == null ? true : try(threads >= 1 && threads <= 999 && threads % 1 == 0, false)
    ])
    error_message = join("", [
      "functions has threads ",
      join(", ", [for name, function in var.functions :
        "${function.threads} (${name})" if try(function.threads, null) != null
      ]),
      "; expected a whole number from 1 to 999.",
    ])
  }

  validation {
    condition = alltrue([for name in ["images_scanner", "reporter"] :
      try(var.functions[name].concurrency, null) == null ? true : try(
        var.functions[name].concurrency >= 2 && var.functions[name].concurrency <= 1000 &&
        var.functions[name].concurrency % 1 == 0, false,
      )
    ])
    error_message = join("", [
      "functions has concurrency ",
      join(", ", [for name in ["images_scanner", "reporter"] :
        "${var.functions[name].concurrency} (${name})"
        if try(var.functions[name].concurrency, null) != null
      ]),
      "; expected a whole number from 2 to 1000: Lambda's limits for a queue.",
    ])
  }

  validation {
    condition = try(var.functions.repositories_scanner.concurrency, null) == null ? true : try(
      var.functions.repositories_scanner.concurrency >= 1 && var.functions.repositories_scanner.concurrency % 1 == 0, false,
    )
    error_message = join("", [
      "functions has concurrency ${try(coalesce(var.functions.repositories_scanner.concurrency), "null")} ",
      "(repositories_scanner); ",
      "expected a whole number from 1, or null for none reserved; to stop it, set enabled to false.",
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
    Network of the functions; null to run them outside of a VPC.
    - `subnet_ids`: required; the subnets need a route to the APIs of ECR, SQS, SNS and DynamoDB, and of S3 with
      `export_bucket`, through NAT or VPC endpoints.
    - `security_group_ids`: required; the security groups have to allow HTTPS to these APIs.
  EOT
  type        = map(list(string))
  default     = null

  validation {
    condition = length(setsubtract(keys(coalesce(var.vpc_config, {})), keys(local.forms.vpc_config))) == 0
    error_message = join("", [
      "vpc_config has ${join(", ", setsubtract(keys(coalesce(var.vpc_config, {})), keys(local.forms.vpc_config)))}; ",
      "expected ${join(", ", keys(local.forms.vpc_config))}.",
    ])
  }

  validation {
    condition = var.vpc_config == null ? true : alltrue([for attribute in keys(local.forms.vpc_config) :
      try(length(var.vpc_config[attribute]) >= 1 && alltrue([for id in var.vpc_config[attribute] : id != null]), false)
    ])
    error_message = join("", [
      "vpc_config is ${jsonencode(var.vpc_config)}; ",
      "expected at least one subnet and one security group, and no null among them; or null.",
    ])
  }
}

variable "environment_variables" {
  description = "Additional environment variables of all functions, such as AWS_ENDPOINT_URL_ECR."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for value in values(var.environment_variables) : value != null])
    error_message = join("", [
      "environment_variables has null as ",
      "${join(", ", [for name, value in var.environment_variables : name if value == null])}; ",
      "expected a text, or no such variable.",
    ])
  }

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
    condition = length(jsonencode(var.environment_variables)) <= 300
    error_message = join("", [
      "environment_variables has ${length(jsonencode(var.environment_variables))} characters as JSON; ",
      "expected at most 300: a function's environment holds 4 KB in total.",
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
    the functions' environment variables. Null for AWS's own encryption, which is free. Its key policy has to allow AWS
    services: https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/main/docs/encryption.md.
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
    Whether to create the CloudWatch alarms and their topic. They watch for messages in a DLQ, lost scan events, messages
    that wait too long, reports that cannot be published, overdue scans, runs that fail, and runs that did not happen.
    CloudWatch bills each alarm. Set alarm_email or alarm_actions, too: without, nobody receives them.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "disabled_alarms" {
  description = <<-EOT
    Alarms not to create: images_dlq, reports_dlq, events_lost, images_queue_age, reports_queue_age, unpublished, missing_events,
    overdue_scans, silence, missing_pass, catalog_age; and the errors or throttles of a function, such as reporter_errors and
    images_scanner_throttles.
  EOT
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = length(setsubtract(var.disabled_alarms, local.alarm_keys)) == 0
    error_message = join("", [
      "disabled_alarms has ",
      "${join(", ", [for key in setsubtract(var.disabled_alarms, local.alarm_keys) : coalesce(key, "null")])}; ",
      "expected ${join(", ", local.alarm_keys)}.",
    ])
  }
}

variable "detailed_monitoring" {
  description = <<-EOT
    Whether CloudWatch has all numbers as metrics, and alarms on the errors and throttles of each function. Without, the
    metrics are those of the alarms and OpenCritical and OpenHigh; all others are in the logs, and in graphs of the
    dashboard that read them. A function that keeps failing has alarms anyway: on its queue, its DLQ, or on silence. It
    costs $6.80 more a month.
  EOT
  type        = bool
  default     = false
  nullable    = false
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
