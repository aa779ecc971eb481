"""What the page consists of: functions from contracts to Dash components, without side effects."""
