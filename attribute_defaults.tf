# The attributes of the inputs that have some, with their defaults. Each is what the caller sets, or its default.

locals {
  # What an attribute is if it is left out or null. scripts/reference.py copies this to docs/inputs.md.
  forms = {
    images_selection = {
      tagged_only   = false
      tag_regexp    = null
      newest        = null
      pushed_within = null
      pulled_within = null
    }

    # Each subscription. The first two are required.
    subscriptions = {
      protocol              = null
      endpoint              = null
      filter_policy         = null
      filter_policy_scope   = null
      raw_message_delivery  = null
      subscription_role_arn = null
    }

    # Each rule: id or package, a reason, an owner, and expires or until_fixed are required.
    ignored_findings = {
      id           = null
      package      = null
      reason       = null
      owner        = null
      expires      = null
      until_fixed  = null
      repositories = null
    }

    functions = {
      repositories_scanner = { memory = 256, timeout = 300, concurrency = null, threads = 16 }
      images_scanner       = { memory = 512, timeout = 900, concurrency = 5, threads = 16 }
      reporter             = { memory = 512, timeout = 300, concurrency = 2 }
    }

    # Both are required.
    vpc_config = {
      subnet_ids         = null
      security_group_ids = null
    }
  }

  severity_thresholds = { for severity, threshold in merge({ CRITICAL = 1, HIGH = 1 }, var.severity_thresholds) :
    severity => threshold if threshold != null
  }

  images_selection = { for attribute, default in local.forms.images_selection :
    attribute => try(coalesce(var.images_selection[attribute]), default)
  }

  subscriptions = { for name, subscription in var.subscriptions : name => merge(local.forms.subscriptions, subscription) }

  functions = { for name, form in local.forms.functions : name => { for attribute, default in form :
    attribute => tonumber(try(coalesce(var.functions[name][attribute]), default))
  } }
}
