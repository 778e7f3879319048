"""The page of the registry on the dashboard: `console` answers a call, `html` and `style` render the page."""
