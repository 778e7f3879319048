# Checks the rules for ignored findings: which are rejected, their items in the table, and what the output needs_attention says
# before and after a rule ends; and the deadlines.

mock_provider "aws" {
  source = "./tests/mocks"
}

# Otherwise, needs_attention would say that nobody receives the alarms.
variables {
  alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:pager"]
}

# A message names every problem, not only the first one.
run "rejects_rules" {
  command = plan

  variables {
    ignored_findings = concat(
      [for changed in [
        { id = null },
        { package = "openssl" },
        { id = null, package = " " },
        { repository = "team-a/" },
        { repository = null },
        { reason = null },
        { reason = " " },
        { owner = null },
        { owner = "" },
        { expires = null },
        { until_fixed = true },
        { expires = null, until_fixed = false },
        { expires = null, until_fixed = "yes" },
        { expires = "3 Dec 2026" },
        { expires = "" },
        { expires = "2026-12-03T00:00:00Z" },
        { expires = "2026-02-30" },
        { expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "8832h")) },
        { id = "CVE-26-1" },
        { id = "cve 2026" },
        { id = "cve-2026-1234" },
        { id = "CVE-2026-123" },
        { id = "CVE2026-1234" },
        { id = "CVE-2026-1234 " },
        { id = "GHSA-jfh8-c2jp" },
        { id = "RHSA-2026-1234" },
        { id = "openssl" },
        { repositories = "" },
        { repositories = format("%0513d", 0) },
        { repositories = "team-(a/" },
        { repositories = "(?!team-(a/)" },
        { repositories = "^(a+)+$" },
        { reason = format("%01999d", 0) },
        ] : merge({
          id      = "CVE-2026-1234"
          reason  = "Not called."
          owner   = "team-a"
          expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      }, changed)],
      [{}],
    )
  }

  expect_failures = [aws_dynamodb_table.memory]

  assert {
    condition = [for problem in local.ignored_findings_problems : split("; expected ", problem)[0]] == [for text in [
      "[0] (no name): id is null and package null",
      "[1] (CVE-2026-1234): id is \"CVE-2026-1234\" and package \"openssl\"",
      "[2] ( ): id is null and package \" \"",
      "[3] (CVE-2026-1234): it has repository",
      "[4] (CVE-2026-1234): it has repository",
      "[5] (CVE-2026-1234): reason is null",
      "[6] (CVE-2026-1234): reason is \" \"",
      "[7] (CVE-2026-1234): owner is null",
      "[8] (CVE-2026-1234): owner is \"\"",
      "[9] (CVE-2026-1234): expires is null and until_fixed null",
      "[10] (CVE-2026-1234): expires is \"${var.ignored_findings[10].expires}\" and until_fixed \"true\"",
      "[11] (CVE-2026-1234): expires is null and until_fixed \"false\"",
      "[12] (CVE-2026-1234): until_fixed is \"yes\"",
      "[13] (CVE-2026-1234): expires is \"3 Dec 2026\"",
      "[14] (CVE-2026-1234): expires is \"\"",
      "[15] (CVE-2026-1234): expires is \"2026-12-03T00:00:00Z\"",
      "[16] (CVE-2026-1234): expires is \"2026-02-30\"",
      "[17] (CVE-2026-1234): expires is \"${var.ignored_findings[17].expires}\"",
      "[18] (CVE-26-1): id is \"CVE-26-1\"",
      "[19] (cve 2026): id is \"cve 2026\"",
      "[20] (cve-2026-1234): id is \"cve-2026-1234\"",
      "[21] (CVE-2026-123): id is \"CVE-2026-123\"",
      "[22] (CVE2026-1234): id is \"CVE2026-1234\"",
      "[23] (CVE-2026-1234 ): id is \"CVE-2026-1234 \"",
      "[24] (GHSA-jfh8-c2jp): id is \"GHSA-jfh8-c2jp\"",
      "[25] (RHSA-2026-1234): id is \"RHSA-2026-1234\"",
      "[26] (openssl): id is \"openssl\"",
      "[27] (CVE-2026-1234): repositories has 0 characters",
      "[28] (CVE-2026-1234): repositories has 513 characters",
      "[29] (CVE-2026-1234): repositories is \"team-(a/\"",
      "[30] (CVE-2026-1234): repositories is \"(?!team-(a/)\"",
      "[31] (CVE-2026-1234): repositories is \"^(a+)+$\"",
      "[32] (CVE-2026-1234): it has 2073 bytes as JSON",
      "[33] (no name): id is null and package null",
      "[33] (no name): reason is null",
      "[33] (no name): owner is null",
      "[33] (no name): expires is null and until_fixed null",
    ] : "ignored_findings${text}"]
    error_message = "Each rule should be named with what is wrong: ${join("\n", local.ignored_findings_problems)}"
  }

  assert {
    condition = alltrue([for problem in local.ignored_findings_problems :
      length(split("; expected ", problem)) == 2
    ])
    error_message = "Each message should say what is expected."
  }
}

run "rejects_deadline_of_unknown_severity" {
  command = plan

  variables {
    fix_within = { URGENT = 7 }
  }

  expect_failures = [var.fix_within]
}

run "rejects_deadline_of_zero_days" {
  command = plan

  variables {
    fix_within = { CRITICAL = 0 }
  }

  expect_failures = [var.fix_within]
}

run "rejects_deadline_of_half_a_day" {
  command = plan

  variables {
    fix_within = { CRITICAL = 0.5 }
  }

  expect_failures = [var.fix_within]
}

run "rejects_deadline_of_3651_days" {
  command = plan

  variables {
    fix_within = { LOW = 3651 }
  }

  expect_failures = [var.fix_within]
}

run "rejects_deadline_of_null_days" {
  command = plan

  variables {
    fix_within = { LOW = null }
  }

  expect_failures = [var.fix_within]
}

run "bounds" {
  command = plan

  variables {
    ignored_findings = concat(
      [for id in [
        "CVE-2026-1234", "CVE-2026-1234567", "GHSA-jfh8-c2jp-5v3q", "ALAS-2026-1234", "ALAS2-2026-1234",
        "ALAS2023-2026-123", "ALASKERNEL-5.10-2026-012", "RHSA-2026:1234", "DSA-5343-1", "DLA-3325-1", "USN-5844-1",
        "ELSA-2026-1234", "SNYK-JS-LODASH-1234567", "SNYK-DEBIAN11-OPENSSL-1234", "GO-2026-1234", "PYSEC-2026-12",
        "RUSTSEC-2026-0001", "OSV-2026-123", "TEMP-0290435-0B57B5", "SUSE-SU-2026:1234-1",
      ] : { id = id, reason = "Not called.", owner = "team-a", until_fixed = true }],
      [for repositories in ["(?!sandbox/)", "team-a/", format("%0512d", 0), "^(a)\\1$", "a\\Z", "a++"] :
        { package = "openssl", reason = "Not called.", owner = "team-a", until_fixed = true, repositories = repositories }
      ],
      [{ package = "zlib", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "8760h")) }],
      [{ package = "zlib", reason = format("%01900d", 0), owner = "-", until_fixed = true }],
    )
    fix_within = { CRITICAL = 1, LOW = 3650, EXPLOITED = 3 }
  }

  assert {
    condition     = length(aws_dynamodb_table_item.ignored_findings) == 1
    error_message = "The bounds should be accepted."
  }

  assert {
    condition = jsondecode(module.reporter.function.environment[0].variables["FIX_WITHIN"]) == {
      CRITICAL = 1, LOW = 3650, EXPLOITED = 3
    }
    error_message = "The reporter should have the deadlines."
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_dynamodb_table_item.ignored_findings) == 0
    error_message = "Without rules, there should be no item."
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["FIX_WITHIN"] == ""
    error_message = "There should be no deadlines by default."
  }
}

run "items" {
  command = plan

  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", package = null, reason = "Not called.", owner = "team-a", expires = "2026-01-01" },
      { package = "openssl", reason = "No fix.", owner = "team-b", until_fixed = true, repositories = "team-b/" },
    ]
  }

  assert {
    condition = jsondecode(aws_dynamodb_table_item.ignored_findings[0].item) == {
      pk = { S = "IGNORED" }
      sk = { S = "0" }
      rules = { S = jsonencode([
        { id = "CVE-2026-1234", reason = "Not called.", owner = "team-a", expires = "2026-01-01" },
        { package = "openssl", reason = "No fix.", owner = "team-b", until_fixed = "true", repositories = "team-b/" },
      ]) }
    }
    error_message = "The item should hold the rules in the order of the list, without what is null."
  }
}

run "a_thousand_rules_of_the_longest_kind" {
  command = plan

  variables {
    ignored_findings = [for number in range(1000) :
      { id = "CVE-2026-${number + 1000}", reason = format("%01900d", 0), owner = "team-a", until_fixed = true }
    ]
  }

  assert {
    condition     = length(aws_dynamodb_table_item.ignored_findings) == 6
    error_message = "A thousand rules should need a few items."
  }

  assert {
    condition = alltrue([for item in aws_dynamodb_table_item.ignored_findings :
      length(jsondecode(item.item).rules.S) < 400 * 1024 - 100
    ])
    error_message = "Every item should stay below 400 KB."
  }

  assert {
    condition = flatten([for item in aws_dynamodb_table_item.ignored_findings :
      [for rule in jsondecode(jsondecode(item.item).rules.S) : rule.id]
    ]) == [for number in range(1000) : "CVE-2026-${number + 1000}"]
    error_message = "Every rule should be in one item, in the order of the list."
  }
}

run "names_a_rule_14_days_before_it_ends" {
  command = plan

  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "335h")) },
    ]
  }

  assert {
    condition = output.needs_attention == [join(" ", [
      "ignored_findings[0] (CVE-2026-1234) ends on ${var.ignored_findings[0].expires}:",
      "after that, its findings are reported again.",
    ])]
    error_message = "The rule should be named with the day on which it ends."
  }
}

run "names_a_rule_that_has_ended_and_applies" {
  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "-48h")) },
    ]
  }

  assert {
    condition = output.needs_attention == [join(" ", [
      "ignored_findings[0] (CVE-2026-1234) ended on ${var.ignored_findings[0].expires}:",
      "its findings are reported again. Remove the rule, or set a later date.",
    ])]
    error_message = "The rule should be named with the day on which it ended."
  }

  assert {
    condition     = length(aws_dynamodb_table_item.ignored_findings) == 1
    error_message = "A rule that has ended should not block an apply."
  }
}

run "does_not_name_a_rule_16_days_before_it_ends" {
  command = plan

  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "384h")) },
    ]
  }

  assert {
    condition     = length(output.needs_attention) == 0
    error_message = "The rule should not be named earlier than 14 days before the end."
  }
}
