# Checks the selection of repositories and images: validations, their bounds, and the environment of the functions.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_empty_exclude" {
  command = plan

  variables {
    repositories_exclude_regexp = ""
  }

  expect_failures = [var.repositories_exclude_regexp]
}

run "rejects_exclude_of_257_characters" {
  command = plan

  variables {
    repositories_exclude_regexp = format("%0257d", 0)
  }

  expect_failures = [var.repositories_exclude_regexp]
}

run "rejects_empty_tag_regexp" {
  command = plan

  variables {
    images_selection = { tag_regexp = "" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_negative_newest" {
  command = plan

  variables {
    images_selection = { newest = -1 }
  }

  expect_failures = [var.images_selection]
}

run "rejects_tag_regexp_of_513_characters" {
  command = plan

  variables {
    images_selection = { tag_regexp = format("%0513d", 0) }
  }

  expect_failures = [var.images_selection]
}

run "rejects_newest_of_zero" {
  command = plan

  variables {
    images_selection = { newest = 0 }
  }

  expect_failures = [var.images_selection]
}

run "rejects_fraction_as_newest" {
  command = plan

  variables {
    images_selection = { newest = 1.5 }
  }

  expect_failures = [var.images_selection]
}

run "rejects_pushed_within_zero_days" {
  command = plan

  variables {
    images_selection = { pushed_within = "0d" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_pushed_within_in_wrong_order" {
  command = plan

  variables {
    images_selection = { pushed_within = "3d2w" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_pulled_within_zero_months" {
  command = plan

  variables {
    images_selection = { pulled_within = "00m" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_pulled_within_in_words" {
  command = plan

  variables {
    images_selection = { pulled_within = "a week" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_threads_of_zero" {
  command = plan

  variables {
    functions = { repositories_scanner = { threads = 0 } }
  }

  expect_failures = [var.functions]
}

run "rejects_threads_above_999" {
  command = plan

  variables {
    functions = { images_scanner = { threads = 1000 } }
  }

  expect_failures = [var.functions]
}

run "rejects_fraction_as_threads" {
  command = plan

  variables {
    functions = { images_scanner = { threads = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "bounds" {
  command = plan

  variables {
    repositories_exclude_regexp = format("%0256d", 0)
    images_selection            = { tag_regexp = format("%0512d", 0), newest = 1, pushed_within = "1d", pulled_within = "1m2w3d" }
    functions                   = { repositories_scanner = { threads = 1 }, images_scanner = { threads = 999 } }
  }

  assert {
    condition     = length(module.repositories_scanner.function.environment[0].variables["REPOSITORIES_EXCLUDE_REGEXP"]) == 256
    error_message = "The bounds should be accepted."
  }
}

run "selection" {
  variables {
    repositories_exclude_regexp = "mirror/"
    images_selection            = { tagged_only = true, tag_regexp = "v[0-9]", newest = 20, pushed_within = "6m" }
    functions                   = { images_scanner = { threads = 4 } }
  }

  assert {
    condition = (
      module.repositories_scanner.function.environment[0].variables["REPOSITORIES_EXCLUDE_REGEXP"] == "mirror/" &&
      module.reporter.function.environment[0].variables["REPOSITORIES_EXCLUDE_REGEXP"] == "mirror/"
    )
    error_message = "Excluded repositories should be neither scanned nor reported."
  }

  assert {
    condition = jsondecode(module.images_scanner.function.environment[0].variables["IMAGES_SELECTION"]) == {
      tagged_only   = true
      tag_regexp    = "v[0-9]"
      newest        = 20
      pushed_within = "6m"
      pulled_within = null
    }
    error_message = "The images scanner should have the selection."
  }

  assert {
    condition     = module.images_scanner.function.environment[0].variables["THREADS"] == "4"
    error_message = "The images scanner should have its number of threads."
  }
}
