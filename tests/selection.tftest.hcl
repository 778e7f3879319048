# Which repositories and images are meant: every validation, its bounds, and what the functions are told.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "refused_01" {
  command = plan

  variables {
    repositories_exclude_regexp = ""
    images_selection            = { tag_regexp = "" }
    functions                   = { repositories_scanner = { threads = 0 } }
  }

  expect_failures = [
    var.repositories_exclude_regexp,
    var.images_selection,
    var.functions,
  ]
}

run "refused_02" {
  command = plan

  variables {
    repositories_exclude_regexp = format("%0513d", 0)
    images_selection            = { newest = -1 }
    functions                   = { images_scanner = { threads = 1000 } }
  }

  expect_failures = [
    var.repositories_exclude_regexp,
    var.images_selection,
    var.functions,
  ]
}

run "refused_03" {
  command = plan

  variables {
    images_selection = { tag_regexp = format("%0513d", 0) }
    functions        = { images_scanner = { threads = 1.5 } }
  }

  expect_failures = [
    var.images_selection,
    var.functions,
  ]
}

run "refused_04" {
  command = plan

  variables {
    images_selection = { newest = 0 }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "refused_05" {
  command = plan

  variables {
    images_selection = { newest = 1.5 }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "refused_06" {
  command = plan

  variables {
    images_selection = { pushed_within = "0d" }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "refused_07" {
  command = plan

  variables {
    images_selection = { pushed_within = "3d2w" }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "refused_08" {
  command = plan

  variables {
    images_selection = { pulled_within = "00m" }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "refused_09" {
  command = plan

  variables {
    images_selection = { pulled_within = "a week" }
  }

  expect_failures = [
    var.images_selection,
  ]
}

run "bounds" {
  command = plan

  variables {
    repositories_exclude_regexp = format("%0512d", 0)
    images_selection            = { tag_regexp = format("%0512d", 0), newest = 1, pushed_within = "1d", pulled_within = "1m2w3d" }
    functions                   = { repositories_scanner = { threads = 1 }, images_scanner = { threads = 999 } }
  }

  assert {
    condition     = length(module.repositories_scanner.function.environment[0].variables["REPOSITORIES_EXCLUDE_REGEXP"]) == 512
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
