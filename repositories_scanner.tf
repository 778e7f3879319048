# The schedule starts the repositories scanner, which sends one message per repository to the images queue.

locals {
  # The time between two runs, at most a day; also a day for a cron expression, which may be irregular.
  rate                 = try(regex("^(?:rate\\()?([0-9]+) (minute|hour|day)s?\\)?$", var.rate), ["1", "day"])
  rate_seconds         = tonumber(local.rate[0]) * { minute = 60, hour = 3600, day = 86400 }[local.rate[1]]
  run_interval_seconds = min(86400, local.rate_seconds)

  # The longest time between two runs, for the alarms, the scanner and the overview. It is exact for a rate and for days
  # of the week, and an upper bound for other cron expressions: there the alarm may be late. It is too short, and the
  # alarm false, only for days that do not exist every year (29 February, a fifth Monday in a named month), and for
  # named years.
  cron              = split(" ", replace(var.rate, "/^cron\\(|\\)$/", ""))
  weekday_numbers   = { SUN = 1, MON = 2, TUE = 3, WED = 4, THU = 5, FRI = 6, SAT = 7 }
  weekday_intervals = [for part in split(",", upper(try(local.cron[4], ""))) : split("-", part)]

  # "FRI-MON" is 6, 7, 1, 2. An expression such as "MON#1" or "6L" yields none.
  weekdays = try(distinct(flatten([for ends in [for part in local.weekday_intervals : [for end in part :
    try(local.weekday_numbers[end], tonumber(end))
    ]] : [for days in range(7) : (ends[0] - 1 + days) % 7 + 1
    if days <= (ends[length(ends) - 1] - ends[0] + 7) % 7
  ]])), [])

  # Days 1 to 28, and the last day, come every month: every 31 days at most. "W" moves a day by up to two. Days 29 to 31
  # are missing in some months: with "31W", 63 days can pass.
  longest_month_days_interval = (
    can(regex("(^|,)([1-9]|0[1-9]|1[0-9]|2[0-8]|[*]|L)([-/,]|$)", try(local.cron[2], ""))) ? 31 :
    can(regex("(^|,)([1-9]|0[1-9]|1[0-9]|2[0-8]|L)W", try(local.cron[2], ""))) ? 33 : 63
  )

  # The first to fourth and the last weekday of a month: every 35 days at most; a fifth one, every 119 days. For each
  # weekday of a list, the days to the next one; a single weekday is its own next one, after 7 days.
  longest_week_days_interval = (
    length(local.weekdays) > 0
    ? max([for day in local.weekdays : min([for next in local.weekdays : (next - day + 6) % 7 + 1]...)]...)
    : alltrue([for part in split(",", try(local.cron[4], "")) : endswith(part, "#5")]) ? 119 : 35
  )

  # The first Monday of a named month, for example, can be 53 weeks after the last one.
  longest_cron_interval_days = (
    try(local.cron[3], "*") != "*" ? 371 :
    !contains(["*", "?"], try(local.cron[2], "*")) ? local.longest_month_days_interval :
    contains(["*", "?"], try(local.cron[4], "*")) ? 1 : local.longest_week_days_interval
  )
  longest_run_interval_seconds = (
    startswith(var.rate, "cron(") ? 86400 * local.longest_cron_interval_days : local.rate_seconds
  )

  # The functions accept at most 366 days.
  longest_run_interval_setting = min(366 * 86400, local.longest_run_interval_seconds)
}

resource "aws_cloudwatch_event_rule" "schedule" {
  name                = local.names.schedule
  description         = "Starts a run of the repositories scanner."
  schedule_expression = can(regex("^(rate|cron)\\(", var.rate)) ? var.rate : "rate(${var.rate})"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "schedule" {
  rule = aws_cloudwatch_event_rule.schedule.name
  arn  = module.repositories_scanner.function.arn

  # A rule that fires before it has permission to invoke the function loses that run.
  depends_on = [aws_lambda_permission.schedule]
}

# No source_account: EventBridge does not send it, so with it every invocation would be denied.
resource "aws_lambda_permission" "schedule" {
  statement_id  = "AllowScheduleRule"
  action        = "lambda:InvokeFunction"
  function_name = module.repositories_scanner.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule.arn
}

module "repositories_scanner" {
  source = "./modules/function"

  name                 = local.names.repositories_scanner
  description          = "Lists the ECR repositories and queues those that match the filter."
  handler              = "ecr_scan_reporter.repositories_scanner.handler"
  filename             = local.package
  architecture         = var.architecture
  memory_size          = var.functions.repositories_scanner.memory
  timeout              = var.functions.repositories_scanner.timeout
  reserved_concurrency = var.functions.repositories_scanner.concurrency
  vpc_config           = var.vpc_config
  tracing              = var.tracing
  log_level            = var.log_level
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  role_path            = var.role_path
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  environment_variables = merge(var.environment_variables, {
    REPOSITORIES_FILTER_REGEXP  = var.repositories_filter_regexp
    REPOSITORIES_EXCLUDE_REGEXP = var.repositories_exclude_regexp == null ? "" : var.repositories_exclude_regexp
    IMAGES_QUEUE_URL            = module.images_queue.queue.url
    MEMORY_TABLE_NAME           = aws_dynamodb_table.memory.name
    REPORTER_NAME               = var.name
    THREADS                     = tostring(var.functions.repositories_scanner.threads)
  })

  policy_statements = merge(local.encrypt_messages_statement, {
    ListRepositories = {
      actions   = ["ecr:DescribeRepositories"]
      resources = [local.repositories_arn]
    }
    # The configuration belongs to the registry, which has no ARN.
    ReadScanningConfiguration = {
      actions   = ["ecr:GetRegistryScanningConfiguration"]
      resources = ["*"]
    }
    QueueRepositories = {
      actions   = ["sqs:SendMessage"]
      resources = [module.images_queue.queue.arn]
    }
    ReadRepositoryStates = {
      actions   = ["dynamodb:Query"]
      resources = [aws_dynamodb_table.memory.arn]
    }
    # The reporter reports the scans of a run together, so it has to know the run.
    RememberRun = {
      actions   = ["dynamodb:PutItem"]
      resources = [aws_dynamodb_table.memory.arn]
      condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["PASSES", "RUNS"] } }
    }
    # What is remembered of repositories that ECR no longer lists would count in every overview.
    ForgetRepositories = {
      actions   = ["dynamodb:BatchWriteItem"]
      resources = [aws_dynamodb_table.memory.arn]
      condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["STATES", "SUMMARIES"] } }
    }
  })
}
