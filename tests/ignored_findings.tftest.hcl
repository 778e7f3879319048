# Checks the rules for ignored findings, one run per rule of the validations, their items in the table, and the warnings
# before and after a rule ends; and the deadlines.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_rule_without_id_and_package" {
  command = plan

  variables {
    ignored_findings = [{
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_id_and_package" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      package = "openssl"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_blank_package" {
  command = plan

  variables {
    ignored_findings = [{
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      package = " "
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_misspelled_attribute" {
  command = plan

  variables {
    ignored_findings = [{
      id         = "CVE-2026-1234"
      reason     = "Not called."
      owner      = "team-a"
      expires    = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      repository = "team-a/"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_without_reason" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_blank_reason" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = " "
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_without_owner" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_blank_owner" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = ""
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_without_end" {
  command = plan

  variables {
    ignored_findings = [{ id = "CVE-2026-1234", reason = "Not called.", owner = "team-a" }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_two_ends" {
  command = plan

  variables {
    ignored_findings = [{
      id          = "CVE-2026-1234"
      reason      = "Not called."
      owner       = "team-a"
      expires     = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      until_fixed = true
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_with_until_fixed_false_as_its_end" {
  command = plan

  variables {
    ignored_findings = [{
      id          = "CVE-2026-1234"
      reason      = "Not called."
      owner       = "team-a"
      until_fixed = false
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_until_fixed_in_words" {
  command = plan

  variables {
    ignored_findings = [{
      id          = "CVE-2026-1234"
      reason      = "Not called."
      owner       = "team-a"
      until_fixed = "yes"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_date_in_another_form" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = "3 Dec 2026"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_empty_date" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = ""
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_date_with_a_time" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = "2026-12-03T00:00:00Z"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_day_that_does_not_exist" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = "2026-02-30"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_date_more_than_a_year_ahead" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "8832h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_year_of_two_digits" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-26-1"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_with_a_space" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "cve 2026"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_in_lower_case" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "cve-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_with_three_digits" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-123"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_without_hyphen" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_with_a_blank_after_it" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234 "
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_ghsa_id_that_is_cut" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "GHSA-jfh8-c2jp"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rhsa_id_with_a_hyphen" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "RHSA-2026-1234"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_id_of_no_known_form" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "openssl"
      reason  = "Not called."
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_empty_repositories" {
  command = plan

  variables {
    ignored_findings = [{
      id           = "CVE-2026-1234"
      reason       = "Not called."
      owner        = "team-a"
      expires      = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      repositories = ""
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_repositories_of_513_characters" {
  command = plan

  variables {
    ignored_findings = [{
      id           = "CVE-2026-1234"
      reason       = "Not called."
      owner        = "team-a"
      expires      = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      repositories = format("%0513d", 0)
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_repositories_with_an_open_group" {
  command = plan

  variables {
    ignored_findings = [{
      id           = "CVE-2026-1234"
      reason       = "Not called."
      owner        = "team-a"
      expires      = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
      repositories = "team-(a/"
    }]
  }

  expect_failures = [var.ignored_findings]
}

run "rejects_rule_of_more_than_2000_bytes" {
  command = plan

  variables {
    ignored_findings = [{
      id      = "CVE-2026-1234"
      reason  = format("%01999d", 0)
      owner   = "team-a"
      expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "2400h"))
    }]
  }

  expect_failures = [var.ignored_findings]
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
      [for repositories in ["(?!sandbox/)", "team-a/", format("%0512d", 0), "^(a)\\1$", "a\\Z"] :
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

  # The first rule has ended.
  expect_failures = [check.ignored_findings]

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

run "warns_14_days_before_a_rule_ends" {
  command = plan

  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "335h")) },
    ]
  }

  expect_failures = [check.ignored_findings]
}

run "warns_after_a_rule_has_ended_and_applies" {
  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "-48h")) },
    ]
  }

  expect_failures = [check.ignored_findings]

  assert {
    condition     = length(aws_dynamodb_table_item.ignored_findings) == 1
    error_message = "A rule that has ended should not block an apply."
  }
}

run "does_not_warn_16_days_before_a_rule_ends" {
  command = plan

  variables {
    ignored_findings = [
      { id = "CVE-2026-1234", reason = "-", owner = "-", expires = formatdate("YYYY-MM-DD", timeadd(timestamp(), "384h")) },
    ]
  }

  assert {
    condition     = length(local.ignored_findings_ending) == 0
    error_message = "There should be no warning earlier than 14 days before the end."
  }
}
