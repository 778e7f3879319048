# The rules for findings that should not be reported. The reporter reads them from the table: a function's environment
# is too small for them, and a resource for each would fill the plan.

locals {
  # Without attributes that are null, so that a rule has one form no matter how it is written.
  ignored_findings = [for rule in var.ignored_findings : { for name, value in rule : name => value if value != null }]

  # DynamoDB allows 400 KB for an item, and the module 2,000 bytes for a rule.
  ignored_findings_chunks = chunklist(local.ignored_findings, 180)

  # The rules whose date has passed, or will within 14 days. They are no error: neither an apply nor a consumer's test
  # should fail just because time has passed.
  ignored_findings_ending = [for index, rule in local.ignored_findings : join(" ", [
    local.ignored_findings_names[index],
    timecmp("${rule.expires}T00:00:00Z", plantimestamp()) <= 0
    ? "ended on ${rule.expires}: its findings are reported again. Remove the rule, or set a later date."
    : "ends on ${rule.expires}: after that, its findings are reported again.",
    ]) if can(rule.expires) && try(timecmp("${rule.expires}T00:00:00Z", timeadd(plantimestamp(), "336h")) <= 0, false)
  ]
}

# The checks of the rules. Not validations of the input: each would need its condition twice, to accept the list and to
# name the rules that are wrong. A precondition of the table shows all problems.
locals {
  # Generous, but a misspelled ID has none of these forms.
  vulnerability_id_regexps = [
    "^(CVE|GO|GSD|MAL)-[0-9]{4}-[0-9]{4,}$",
    "^(GHSA|CGA)(-[0-9a-z]{4}){3}$",
    "^ALAS[0-9A-Z._-]*-[0-9]{4}-[0-9]+$",                # ALAS2-2026-1234, ALASKERNEL-5.10-2026-012
    "^(RH[BES]A|ALSA|RLSA|RXSA)-[0-9]{4}:[0-9]+$",       # Red Hat, AlmaLinux, Rocky Linux
    "^(open)?SUSE-[A-Z]{2}-[0-9]{4}:[0-9]+-[0-9]+$",     # SUSE-SU-2026:1234-1
    "^EL[BS]A-[0-9]{4}-[0-9]+(-[0-9]+)?$",               # Oracle Linux
    "^(DSA|DLA|DTSA|USN|LSN|ASA|AVG)-[0-9]+(-[0-9]+)?$", # Debian, Ubuntu, Arch Linux
    "^TEMP-[0-9]{7}-[0-9A-F]{6}$",                       # Debian, before there is a CVE ID
    "^(PYSEC|RUSTSEC|OSV|GMS|PRISMA|HSEC|RSEC)-[0-9]{4}-[0-9]+$",
    "^(SNYK|IN[0-9]+)-[0-9A-Z]+-[0-9A-Za-z@/._:-]+-[0-9]+$", # SNYK-JS-LODASH-1234567
  ]

  ignored_findings_names = [for index, rule in local.ignored_findings :
    "ignored_findings[${index}] (${coalesce(lookup(rule, "id", ""), lookup(rule, "package", ""), "no name")})"
  ]

  ignored_findings_problems = flatten([for index, rule in local.ignored_findings : [
    for problem in [
      {
        # The input, because a misspelled attribute is wrong even if it is null.
        accepted = length(setsubtract(keys(var.ignored_findings[index]), keys(local.forms.ignored_findings))) == 0
        value = join(" ", [
          "it has", join(", ", setsubtract(keys(var.ignored_findings[index]), keys(local.forms.ignored_findings))),
        ])
        expected = join(", ", keys(local.forms.ignored_findings))
      },
      {
        accepted = length([for name in ["id", "package"] : name if trimspace(lookup(rule, name, "")) != ""]) == 1
        value    = "id is ${jsonencode(try(rule.id, null))} and package ${jsonencode(try(rule.package, null))}"
        expected = "exactly one of them"
      },
      {
        accepted = anytrue([for form in local.vulnerability_id_regexps :
          can(regex(form, coalesce(lookup(rule, "id", ""), "CVE-0000-0000")))
        ])
        value = "id is ${jsonencode(try(rule.id, null))}"
        expected = join(" ", [
          "an ID such as CVE-2026-1234, GHSA-jfh8-c2jp-5v3q, ALAS2-2026-1234, RHSA-2026:1234, DSA-1234-1, DLA-1234-1,",
          "USN-1234-1, ELSA-2026-1234, SNYK-JS-LODASH-1234567, GO-2026-1234, PYSEC-2026-12, RUSTSEC-2026-0001 or",
          "OSV-2026-123",
        ])
      },
      {
        accepted = trimspace(lookup(rule, "reason", "")) != ""
        value    = "reason is ${jsonencode(try(rule.reason, null))}"
        expected = "why the findings can be ignored"
      },
      {
        accepted = trimspace(lookup(rule, "owner", "")) != ""
        value    = "owner is ${jsonencode(try(rule.owner, null))}"
        expected = "who is responsible for the decision, such as a team or an address"
      },
      {
        accepted = contains(["", "true", "false"], lookup(rule, "until_fixed", ""))
        value    = "until_fixed is ${jsonencode(try(rule.until_fixed, null))}"
        expected = "true, or expires instead"
      },
      {
        accepted = can(rule.expires) == contains(["", "false"], lookup(rule, "until_fixed", ""))
        value = join(" ", [
          "expires is ${jsonencode(try(rule.expires, null))} and until_fixed",
          jsonencode(try(rule.until_fixed, null)),
        ])
        expected = "exactly one of a date and true"
      },
      {
        accepted = try(timecmp(
          "${lookup(rule, "expires", "2000-01-01")}T00:00:00Z", timeadd(plantimestamp(), "8784h"),
        ) <= 0, false)
        value    = "expires is ${jsonencode(try(rule.expires, null))}"
        expected = "a date at most a year ahead, such as ${formatdate("YYYY-MM-DD", timeadd(plantimestamp(), "2160h"))}"
      },
      {
        accepted = contains(range(1, 513), length(lookup(rule, "repositories", "-")))
        value    = "repositories has ${length(lookup(rule, "repositories", ""))} characters"
        expected = "a Python regular expression of 1 to 512 characters, or null for all repositories"
      },
      {
        accepted = can(try(
          regex(local.python_only_regexp, rule.repositories),
          regexall(replace(lookup(rule, "repositories", "-"), local.lookaround_regexp, "(?:"), ""),
        )) && !can(regex(local.ambiguous_regexp, rule.repositories))
        value    = "repositories is ${jsonencode(try(rule.repositories, null))}"
        expected = "a Python regular expression, such as \"team-a/\", without a repeated repetition such as (a+)+"
      },
      {
        accepted = length(base64encode(jsonencode(rule))) <= 2668
        value    = "it has ${floor(length(base64encode(jsonencode(rule))) * 3 / 4)} bytes as JSON"
        expected = "at most 2000: an item of the table holds 400 KB"
      },
    ] : "${local.ignored_findings_names[index]}: ${problem.value}; expected ${problem.expected}" if !problem.accepted
  ]])
}

resource "aws_dynamodb_table_item" "ignored_findings" {
  count = length(local.ignored_findings_chunks)

  table_name = aws_dynamodb_table.memory.id # unknown, unlike the name, when the table is replaced: then it is empty
  hash_key   = aws_dynamodb_table.memory.hash_key
  range_key  = aws_dynamodb_table.memory.range_key

  item = jsonencode({
    pk    = { S = "IGNORED" }
    sk    = { S = tostring(count.index) }
    rules = { S = jsonencode(local.ignored_findings_chunks[count.index]) }
  })
}
