variable "name" {
  description = "Name of this instance, from which the names of all resources derive. Two instances with different names live side by side. A name that is too long for AWS is shortened and told apart by a hash."
  type        = string
  default     = "ecr-scan-reporter"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "enabled" {
  description = "Whether the module is at work. With false both EventBridge rules are disabled: no run starts, no scan event is taken, everything stays in place."
  type        = bool
  default     = true
  nullable    = false
}

variable "rate" {
  description = "How often the repositories are gone through: a rate (\"1 day\", \"12 hours\", \"rate(1 day)\") or an EventBridge cron expression in UTC (\"cron(0 4 * * ? *)\")."
  type        = string
  default     = "1 day"
  nullable    = false

  # EventBridge takes the singular for 1 and the plural for all else, and tells so only at apply.
  validation {
    condition = startswith(var.rate, "cron(") || can(regex(
      "^(1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))$",
      try(regex("^rate\\((.*)\\)$", var.rate)[0], var.rate),
    ))
    error_message = "rate is \"${var.rate}\". Accepted: \"1 minute\", \"1 hour\", \"1 day\" or a whole number from 2 with \"minutes\", \"hours\" or \"days\", such as \"12 hours\", bare or as \"rate(12 hours)\"; or a cron expression, such as \"cron(0 4 * * ? *)\"."
  }

  validation {
    condition = !startswith(var.rate, "cron(") || can(regex(
      "^cron\\([0-9,*/-]+ [0-9,*/-]+ [0-9,*/?LW-]+ [0-9A-Za-z,*/-]+ [0-9A-Za-z,*/?#-]+ [0-9,*/-]+\\)$",
      var.rate,
    ))
    error_message = "rate is \"${var.rate}\". Accepted as cron: six fields parted by one space each: minutes, hours, day of month, month, day of week, year, such as \"cron(0 4 * * ? *)\"."
  }

  validation {
    condition = !startswith(var.rate, "cron(") || try(
      (split(" ", var.rate)[2] == "?") != (split(" ", var.rate)[4] == "?"),
      true, # fewer fields: said above
    )
    error_message = "rate is \"${var.rate}\". Accepted as cron: exactly one of day of month (third field) and day of week (fifth field) is \"?\", such as \"cron(0 4 * * ? *)\" or \"cron(0 4 ? * MON *)\"."
  }

  validation {
    condition     = length(var.rate) <= (can(regex("^(rate|cron)\\(", var.rate)) ? 256 : 250)
    error_message = "rate has ${length(var.rate)} characters. Accepted: at most 256, with \"rate()\" around it."
  }
}

variable "repositories_filter_regexp" {
  description = "Python regular expression that a repository's name must match, from its start, to be scanned and reported: \".*\" is every repository, \"team-a/\" a prefix, \"(?!sandbox/)\" all but a prefix."
  type        = string
  default     = ".*"
  nullable    = false

  # Terraform's own expressions know no lookahead, so whether Python can compile it is left to the functions.
  validation {
    condition     = length(var.repositories_filter_regexp) >= 1 && length(var.repositories_filter_regexp) <= 1024
    error_message = "repositories_filter_regexp has ${length(var.repositories_filter_regexp)} characters. Accepted: a Python regular expression of 1 to 1024 characters (a function's environment holds 4 KB in all); \".*\" for every repository."
  }
}

variable "repositories_exclude_regexp" {
  description = "Python regular expression; a repository whose name matches it, from its start, is left out even if repositories_filter_regexp takes it. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.repositories_exclude_regexp == null ? true : length(var.repositories_exclude_regexp) >= 1 && length(var.repositories_exclude_regexp) <= 512
    error_message = "repositories_exclude_regexp has ${var.repositories_exclude_regexp == null ? 0 : length(var.repositories_exclude_regexp)} characters. Accepted: a Python regular expression of 1 to 512 characters (a function's environment holds 4 KB in all), or null for none."
  }
}

variable "images_duration_delta" {
  description = "Age at which a scan is out of date and the image is scanned again: months, weeks and days, in this order, each optional, such as \"7d\", \"2w\" or \"1m2w3d\"."
  type        = string
  default     = "7d"
  nullable    = false

  validation {
    condition = (
      can(regex("^([0-9]+m)?([0-9]+w)?([0-9]+d)?$", var.images_duration_delta)) &&
      can(regex("[1-9]", var.images_duration_delta))
    )
    error_message = "images_duration_delta is \"${var.images_duration_delta}\". Accepted: months, weeks and days in this order, each optional and together more than zero, such as \"7d\", \"2w\" or \"1m2w3d\"."
  }
}

variable "images_selection" {
  description = "Which images of a repository are kept scanned, all unless set; what is set must all hold. tagged_only: those with a tag, a child of a tagged index included. tag_regexp: those with a tag that this Python regular expression matches from its start. newest: the ones pushed last, this many in each repository. pushed_within, pulled_within: those pushed or pulled within this time, such as \"30d\"."
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
    condition     = var.images_selection.tag_regexp == null ? true : length(var.images_selection.tag_regexp) >= 1 && length(var.images_selection.tag_regexp) <= 512
    error_message = "images_selection has a tag_regexp of ${var.images_selection.tag_regexp == null ? 0 : length(var.images_selection.tag_regexp)} characters. Accepted: a Python regular expression of 1 to 512 characters, or null for any tag."
  }

  validation {
    condition     = var.images_selection.newest == null ? true : var.images_selection.newest >= 1 && floor(var.images_selection.newest) == var.images_selection.newest
    error_message = "images_selection has newest ${jsonencode(var.images_selection.newest)}. Accepted: whole numbers from 1, or null for all."
  }

  validation {
    condition = var.images_selection.pushed_within == null ? true : (
      can(regex("^([0-9]+m)?([0-9]+w)?([0-9]+d)?$", var.images_selection.pushed_within)) &&
      can(regex("[1-9]", var.images_selection.pushed_within))
    )
    error_message = "images_selection has pushed_within ${jsonencode(var.images_selection.pushed_within)}. Accepted: months, weeks and days in this order, each optional and together more than zero, such as \"30d\" or \"3m\", or null for any."
  }

  validation {
    condition = var.images_selection.pulled_within == null ? true : (
      can(regex("^([0-9]+m)?([0-9]+w)?([0-9]+d)?$", var.images_selection.pulled_within)) &&
      can(regex("[1-9]", var.images_selection.pulled_within))
    )
    error_message = "images_selection has pulled_within ${jsonencode(var.images_selection.pulled_within)}. Accepted: months, weeks and days in this order, each optional and together more than zero, such as \"30d\" or \"3m\", or null for any."
  }
}

variable "email" {
  description = "E-mail address that the reports go to; null for none. AWS sends it a link, which must be followed within two days to confirm."
  type        = string
  default     = null

  validation {
    condition     = var.email == null || can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", var.email))
    error_message = "email is ${jsonencode(var.email)}. Accepted: one address, such as \"security@example.com\", or null for none."
  }
}

variable "subscriptions" {
  description = "Further subscriptions of the reports topic, by a name of your choice: protocol (sqs, lambda, http, https, email, email-json, sms, firehose, application) and endpoint as SNS takes them; filter_policy, a JSON object, and filter_policy_scope (MessageAttributes, as SNS assumes, or MessageBody) for those that are to get some reports only; raw_message_delivery (sqs, http, https, firehose); subscription_role_arn, the role that lets SNS write to a firehose. The endpoint's own policy must let SNS in."
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
    error_message = "subscriptions has protocol ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.protocol)} (${name})"])}. Accepted, as SNS does: ${join(", ", local.subscription_protocols)}."
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.endpoint == null ? false : trimspace(subscription.endpoint) != ""
    ])
    error_message = "subscriptions has endpoint ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.endpoint)} (${name})"])}. Accepted: what the protocol delivers to, such as the ARN of a queue, an address or a URL."
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy == null ? true : can(keys(jsondecode(subscription.filter_policy)))
    ])
    error_message = "subscriptions has filter_policy ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.filter_policy)} (${name})"])}. Accepted: a JSON object, such as jsonencode({ severity = [\"CRITICAL\"] }), or null for every report."
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy_scope == null ? true : contains(["MessageAttributes", "MessageBody"], subscription.filter_policy_scope)
    ])
    error_message = "subscriptions has filter_policy_scope ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.filter_policy_scope)} (${name})"])}. Accepted: MessageAttributes, MessageBody, or null."
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.filter_policy_scope == null || subscription.filter_policy != null
    ])
    error_message = "subscriptions has filter_policy_scope without filter_policy: ${join(", ", [for name, subscription in var.subscriptions : name if subscription.filter_policy_scope != null && subscription.filter_policy == null])}. Accepted: both, filter_policy alone, or neither."
  }

  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      subscription.raw_message_delivery != true || try(contains(["sqs", "http", "https", "firehose"], subscription.protocol), false)
    ])
    error_message = "subscriptions has raw_message_delivery with protocol ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.protocol)} (${name})" if subscription.raw_message_delivery == true])}. Accepted, as SNS does: true with sqs, http, https, firehose; false or null with all."
  }

  # SNS takes neither a firehose without a role nor a role with anything else, and tells so only at apply.
  validation {
    condition = alltrue([for subscription in values(var.subscriptions) :
      (subscription.protocol == "firehose") == (subscription.subscription_role_arn != null)
    ])
    error_message = "subscriptions has subscription_role_arn ${join(", ", [for name, subscription in var.subscriptions : "${jsonencode(subscription.subscription_role_arn)} with protocol ${jsonencode(subscription.protocol)} (${name})"])}. Accepted: the ARN of a role with firehose, null with all others."
  }
}

variable "chat" {
  description = "Whether reports also go to a second topic, in the form that Amazon Q Developer in chat applications (formerly AWS Chatbot) shows in Slack and Microsoft Teams. A channel that is configured with chat_topic_arn subscribes it."
  type        = bool
  default     = false
  nullable    = false
}

variable "report_window" {
  description = "Seconds for which scan events are gathered, so that scans that end together are one report; 0 to report each as soon as it is there."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.report_window >= 0 && var.report_window <= 300 && floor(var.report_window) == var.report_window
    error_message = "report_window is ${var.report_window}. Accepted: whole numbers of seconds from 0 to 300, as Lambda does for a queue."
  }
}

variable "group_by" {
  description = "Python regular expression with one group, matched with a repository's name from its start: scans for which the group took the same are one report, such as \"^([^/]+)/\" for one report per team where names begin with the team's. Null for one report of all."
  type        = string
  default     = null

  validation {
    condition     = var.group_by == null ? true : length(var.group_by) >= 1 && length(var.group_by) <= 512
    error_message = "group_by has ${var.group_by == null ? 0 : length(var.group_by)} characters. Accepted: a Python regular expression of 1 to 512 characters (a function's environment holds 4 KB in all), or null for one report of all."
  }

  # "\(" is a bracket, "(?:" and its like take nothing for themselves, "(?P<name>" does. All else is left to Python.
  validation {
    condition     = var.group_by == null ? true : can(regex("(?s)^([^\\\\]|\\\\.)*[(]([^?]|[?]P<)", var.group_by))
    error_message = "group_by is ${jsonencode(var.group_by)}. Accepted: a Python regular expression with one group, such as \"^([^/]+)/\", or null for one report of all."
  }
}

# A map, not an object: an object would drop a misspelt severity without a word, and with it the alert.
variable "severity_thresholds" {
  description = "Findings of a severity from which an image is reported: CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED, UNTRIAGED. CRITICAL and HIGH are 1 unless set, the others off; null turns a severity off."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.severity_thresholds), local.severities)) == 0
    error_message = "severity_thresholds has ${join(", ", setsubtract(keys(var.severity_thresholds), local.severities))}. Accepted: ${join(", ", local.severities)}."
  }

  validation {
    condition = alltrue([for threshold in values(var.severity_thresholds) :
      threshold == null ? true : threshold >= 1 && floor(threshold) == threshold
    ])
    error_message = "severity_thresholds is ${jsonencode(var.severity_thresholds)}. Accepted: whole numbers from 1, or null to turn a severity off."
  }
}

variable "fixable_only" {
  description = "Whether only findings for which there is a fix count."
  type        = bool
  default     = false
  nullable    = false
}

variable "notify_on_scan_failure" {
  description = "Whether a scan that failed is reported."
  type        = bool
  default     = true
  nullable    = false
}

variable "functions" {
  description = "Size of the functions: memory in MB (128 to 10240); timeout in seconds (1 to 900); concurrency: of images_scanner and reporter the invocations that their queue may have in flight (2 to 1000), of repositories_scanner its reserved concurrent executions, null for none reserved; threads: of the two scanners the calls that one invocation may have under way (1 to 999)."
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
    error_message = "functions has memory ${join(", ", [for name, function in var.functions : "${function.memory} (${name})"])}. Accepted: whole numbers of MB from 128 to 10240."
  }

  validation {
    condition = alltrue([for function in values(var.functions) :
      function.timeout >= 1 && function.timeout <= 900 && floor(function.timeout) == function.timeout
    ])
    error_message = "functions has timeout ${join(", ", [for name, function in var.functions : "${function.timeout} (${name})"])}. Accepted: whole numbers of seconds from 1 to 900."
  }

  validation {
    condition = alltrue([for function in [var.functions.images_scanner, var.functions.reporter] :
      function.concurrency >= 2 && function.concurrency <= 1000 && floor(function.concurrency) == function.concurrency
    ])
    error_message = "functions has concurrency ${var.functions.images_scanner.concurrency} (images_scanner), ${var.functions.reporter.concurrency} (reporter). Accepted: whole numbers from 2 to 1000, as Lambda does for a queue."
  }

  validation {
    condition = (var.functions.repositories_scanner.concurrency == null ? true :
      var.functions.repositories_scanner.concurrency >= 1 &&
      floor(var.functions.repositories_scanner.concurrency) == var.functions.repositories_scanner.concurrency
    )
    error_message = "functions has concurrency ${jsonencode(var.functions.repositories_scanner.concurrency)} (repositories_scanner). Accepted: whole numbers from 1, or null for none reserved; to stop it, set enabled to false."
  }

  validation {
    condition = alltrue([for function in [var.functions.repositories_scanner, var.functions.images_scanner] :
      function.threads >= 1 && function.threads <= 999 && floor(function.threads) == function.threads
    ])
    error_message = "functions has threads ${var.functions.repositories_scanner.threads} (repositories_scanner), ${var.functions.images_scanner.threads} (images_scanner). Accepted: whole numbers from 1 to 999."
  }
}

variable "environment_variables" {
  description = "Further environment variables of all functions, such as AWS_ENDPOINT_URL_ECR."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for name in keys(var.environment_variables) :
      can(regex("^[A-Za-z][A-Za-z0-9_]+$", name))
    ])
    error_message = "environment_variables has ${join(", ", keys(var.environment_variables))}. Accepted: names of two or more letters, digits and underscores that begin with a letter."
  }

  validation {
    condition     = length(setintersection(keys(var.environment_variables), local.module_environment_variables)) == 0
    error_message = "environment_variables has ${join(", ", setintersection(keys(var.environment_variables), local.module_environment_variables))}. Accepted: any but those that the module sets from its other inputs: ${join(", ", local.module_environment_variables)}."
  }

  validation {
    condition     = length(setintersection(keys(var.environment_variables), local.lambda_environment_variables)) == 0
    error_message = "environment_variables has ${join(", ", setintersection(keys(var.environment_variables), local.lambda_environment_variables))}. Accepted: any but those that Lambda sets itself: ${join(", ", local.lambda_environment_variables)}."
  }

  validation {
    condition     = length(join("", concat(keys(var.environment_variables), values(var.environment_variables)))) <= 1024
    error_message = "environment_variables has ${length(join("", concat(keys(var.environment_variables), values(var.environment_variables))))} characters in names and values. Accepted: at most 1024, as a function's environment holds 4 KB in all."
  }
}

variable "log_retention_days" {
  description = "Days for which the functions' logs are kept; 0 keeps them for ever."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains([
      0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}. Accepted, as CloudWatch does: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, or 0 for ever."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the functions' roles; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[^\\s]+$", var.permissions_boundary))
    error_message = "permissions_boundary is ${jsonencode(var.permissions_boundary)}. Accepted: the ARN of an IAM policy, such as \"arn:aws:iam::123456789012:policy/boundary\", or null for none."
  }
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
    error_message = "tags has ${join(", ", keys(var.tags))}. Accepted: at most 50 tags, with keys of 1 to 128 characters that do not begin with \"aws:\", and values of at most 256 characters."
  }
}
