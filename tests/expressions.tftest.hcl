# Expressions that are rejected at plan, and those that are not: regular expressions and cron expressions.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_repetition_of_nothing" {
  command = plan

  variables {
    repositories_filter_regexp  = "*"
    repositories_exclude_regexp = "+"
    group_by                    = "*(a)"
    images_selection            = { tag_regexp = "?" }
  }

  expect_failures = [
    var.repositories_filter_regexp, var.repositories_exclude_regexp, var.group_by, var.images_selection,
  ]
}

run "rejects_open_group" {
  command = plan

  variables {
    repositories_filter_regexp  = "team-a/*("
    repositories_exclude_regexp = "(?!sandbox/"
    group_by                    = "^(?:(a)/"
    images_selection            = { tag_regexp = "v[0-9" }
  }

  expect_failures = [
    var.repositories_filter_regexp, var.repositories_exclude_regexp, var.group_by, var.images_selection,
  ]
}

run "rejects_repeated_repetition" {
  command = plan

  variables {
    repositories_filter_regexp  = "^(a+)+$"
    repositories_exclude_regexp = "(?:[a-z/]*)*x"
    group_by                    = "(?P<team>\\w{1,})+/"
    images_selection            = { tag_regexp = "(.*){2,}" }
  }

  expect_failures = [
    var.repositories_filter_regexp, var.repositories_exclude_regexp, var.group_by, var.images_selection,
  ]
}

run "accepts_repeated_groups" {
  command = plan

  variables {
    repositories_filter_regexp  = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+$"
    repositories_exclude_regexp = "(a{3})+(b+){3}(c+)?(?:d)*"
    group_by                    = "^((?:team|group)-[a-z]+)/"
    images_selection            = { tag_regexp = "[0-9]+(\\.[0-9]+)*(-[a-z]+)*$" }
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["REPOSITORIES_FILTER_REGEXP"] == var.repositories_filter_regexp
    error_message = "The expression should arrive as it is."
  }
}

# What Python accepts and Terraform's regular expressions do not.
run "accepts_expressions_of_python" {
  command = plan

  variables {
    repositories_filter_regexp  = "^(?!sandbox/)(?=.*-app)(?:team-a|team-b)/"
    repositories_exclude_regexp = "(?P<team>[a-z]+)/(?P=team)(?<!-)(?<=a)\\Z"
    group_by                    = "^(a|b)/\\1(?#comment)"
    images_selection            = { tag_regexp = "(?a)(?>v+)[0-9]++([a-z]{1,100}-){1,20}[0-9]{1001}\\u0041" }
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["REPOSITORIES_FILTER_REGEXP"] == var.repositories_filter_regexp
    error_message = "The expression should arrive as it is."
  }
}

run "rejects_numbers_that_no_clock_has" {
  command = plan

  variables {
    rate              = "cron(0 25 * * ? *)"
    overview_schedule = "cron(60 7 ? * MON *)"
  }

  expect_failures = [var.rate, var.overview_schedule]
}

run "rejects_days_that_no_calendar_has" {
  command = plan

  variables {
    rate              = "cron(0 4 32 * ? *)"
    overview_schedule = "cron(0 7 ? * MOO *)"
  }

  expect_failures = [var.rate, var.overview_schedule]
}

# The validations of both inputs apply these.
run "fields" {
  command = plan

  assert {
    condition = {
      for name, expressions in {
        minutes  = ["60", "-1", "1-60", "0/60", "0/0", "1,", ",1", "1--2", "x", "?", "*/", "", "L"]
        hours    = ["24", "0-24", "0/24", "noon", "?"]
        monthday = ["0", "32", "1-32", "*/32", "L-31", "0W", "32W", "1-5W", "W", "3#1", "MON", "?,1"]
        month    = ["0", "13", "JANUARY", "MON", "1-13", "*/13", "?"]
        weekday  = ["0", "8", "MON-FRY", "JAN", "2#6", "2#0", "#2", "8L", "2W", "*/8"]
        year     = ["1969", "2200", "30", "2030-2200", "?"]
        } : name => [for expression in expressions : expression if can(regex(
          local.cron_fields[index(["minutes", "hours", "monthday", "month", "weekday", "year"], name)].regexp, expression,
      ))]
    } == { minutes = [], hours = [], monthday = [], month = [], weekday = [], year = [] }
    error_message = "These should be rejected."
  }

  assert {
    condition = {
      for name, expressions in {
        minutes  = ["0", "59", "05", "*", "*/15", "0/15", "1-59", "1-59/2", "0,15,30-45", "*/59"]
        hours    = ["0", "23", "08-17", "*/23", "22-2"]
        monthday = ["?", "*", "1", "31", "01", "1,15", "1-31/2", "*/31", "L", "L-3", "LW", "1W", "31W", "1,L"]
        month    = ["1", "12", "JAN", "DEC", "jan-dec", "JAN,JUL", "*/3", "*"]
        weekday  = ["?", "*", "1", "7", "SUN", "sat", "MON-FRI", "FRI-MON", "L", "6L", "FRIL", "2#3", "MON#5", "MON,2#1", "*/2"]
        year     = ["1970", "2199", "*", "2030-2040", "2030/2", "*/229"]
        } : name => [for expression in expressions : expression if !can(regex(
          local.cron_fields[index(["minutes", "hours", "monthday", "month", "weekday", "year"], name)].regexp, expression,
      ))]
    } == { minutes = [], hours = [], monthday = [], month = [], weekday = [], year = [] }
    error_message = "These should be accepted."
  }
}
