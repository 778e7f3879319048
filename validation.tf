# What the validations in variables.tf and ignored_findings.tf hold inputs to.

locals {
  # By their place in an ARN. A part without the form that AWS gives it judges nothing: a mock answers any text.
  arn_parts = { for place, part in {
    1 = { value = local.partition, form = "^aws(-[a-z]+)*$" }
    3 = { value = local.region, form = "^[a-z]+(-[a-z]+)+-[0-9]+$" }
    4 = { value = local.account_id, form = "^[0-9]{12}$" }
  } : place => part.value if can(regex(part.form, part.value)) }

  severities      = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"]
  fix_within_keys = concat(local.severities, ["EXPLOITED", "KEV"])

  # What Python accepts and Terraform's regular expressions do not, apart from lookarounds: comments, conditions, named
  # backreferences and Python's flags; \1, \Z, \N, \u and \U; [\b]; possessive quantifiers; large repetitions; [[; and
  # what is not ASCII. The functions alone check an expression that has one of these, when they start.
  python_only_regexp = join("|", [
    "[(][?]([(#]|P=|[a-zA-Z-]*[aLux])", "[\\\\][1-9ZNuU]", "\\[[^]]*\\\\b", "[*+?}][+]", "[)][{]|[0-9]{4}[,}]", "\\[\\[",
    "[^ -~]",
  ])

  # A group with nothing but a repetition, which is repeated itself: (a+)+, (.*)*, ([a-z]+){2,}. It takes exponential
  # time to find that it does not match. The functions refuse all other expressions of this kind when they start.
  ambiguous_regexp = "[(]([?]:|[?]P<[A-Za-z_]+>)?(\\[[^]]+\\]|\\\\.|[^\\\\()|*+?{}\\[])([*+]|[{][0-9]+,[}])[)]([*+]|[{][0-9]+,[}])"

  # For replace(), which makes them groups: nothing else about them matters to whether an expression is valid.
  lookaround_regexp = "/[(][?](<?[=!]|>)/"

  # The fields of a cron expression of EventBridge, in their order: a part is a number, a range or "*", with or without
  # a step, or one of `others`. The functions read all of them (lambda_src/ecr_scan_reporter/shared/cron.py).
  cron_forms = [
    { name = "minutes", expected = "0 to 59", number = "[0-5]?[0-9]", step = "[1-9]|[1-5][0-9]", others = [] },
    { name = "hours", expected = "0 to 23", number = "[01]?[0-9]|2[0-3]", step = "[1-9]|1[0-9]|2[0-3]", others = [] },
    {
      name     = "day of month"
      expected = "1 to 31, L, L-3, LW, 15W or ?"
      number   = "0?[1-9]|[12][0-9]|3[01]"
      step     = "[1-9]|[12][0-9]|3[01]"
      others   = ["L(-([0-9]|[12][0-9]|30))?W?", "(0?[1-9]|[12][0-9]|3[01])W"]
    },
    {
      name     = "month"
      expected = "1 to 12 or JAN to DEC"
      number   = "0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
      step     = "[1-9]|1[0-2]"
      others   = []
    },
    {
      name     = "day of week"
      expected = "1 to 7, SUN to SAT, L, 6L, 2#3 or ?"
      number   = "[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT"
      step     = "[1-7]"
      others   = ["L", "([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])"]
    },
    {
      name     = "year"
      expected = "1970 to 2199"
      number   = "19[7-9][0-9]|2[01][0-9]{2}"
      step     = "[1-9][0-9]?|1[0-9]{2}|2[0-2][0-9]"
      others   = []
    },
  ]
  cron_parts = [for form in local.cron_forms :
    join("|", concat(["([*]|(${form.number})(-(${form.number}))?)(/(${form.step}))?"], form.others))
  ]
  cron_fields = [for index, form in local.cron_forms : {
    expected = "${form.name} ${form.expected}"
    # Another rule limits "?" to one of the days.
    regexp = "(?i)^(${length(form.others) > 0 ? "[?]|" : ""}(${local.cron_parts[index]})(,(${local.cron_parts[index]}))*)$"
  }]

  # Of quiet_hours.
  weekday = "MON|TUE|WED|THU|FRI|SAT|SUN"
  clock   = "([01][0-9]|2[0-3]):[0-5][0-9]"

  # Months, weeks and days in this order. A duration also has to contain a digit other than 0.
  duration_regexp = "^([0-9]+m)?([0-9]+w)?([0-9]+d)?$"
  duration_form = join(" ", [
    "months, weeks and days in this order, all optional, more than zero in total,",
    "such as \"7d\", \"2w\" or \"1m2w3d\"",
  ])

  # "Protocol" in https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
  subscription_protocols = [
    "sqs", "lambda", "http", "https", "email", "email-json", "sms", "firehose", "application",
  ]

  # "Reserved environment variables" in https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
  lambda_environment_variables = [
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
  ]

  # The environment variables that the module sets from its other inputs.
  module_environment_variables = [
    "ACCOUNT_NAME", "ALARMS_TOPIC_ARN", "CHAT_TOPIC_ARN", "CONTACT", "DETAILED_METRICS", "DLQ_URLS",
    "ECR_IMAGES_DURATION_DELTA", "EXPORT", "EXPORT_QUEUE_URL", "FIXABLE_ONLY", "FIX_WITHIN", "GROUP_BY",
    "IGNORE_KERNEL_HEADERS", "IMAGES_QUEUE_URL", "IMAGES_SELECTION", "KNOWN_EXPLOITED", "KNOWN_EXPLOITED_FEED",
    "MEMORY_TABLE_NAME", "NOTIFY_ON", "NOTIFY_ON_FIXED",
    "NOTIFY_ON_SCAN_FAILURE", "OVERVIEW_SCHEDULE", "QUIET_HOURS", "REMIND_AFTER", "REPORTER_NAME", "REPORTS_QUEUE_URL", "REPORTS_TOPIC_ARN",
    "REPORT_WINDOW_SECONDS", "REPOSITORIES_EXCLUDE_REGEXP", "REPOSITORIES_FILTER_REGEXP", "SCHEDULE_EXPRESSION",
    "SEVERITY_THRESHOLDS", "SUBJECT_PREFIX", "THREADS",
  ]
}
