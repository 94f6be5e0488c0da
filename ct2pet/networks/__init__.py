"""Networks: nn.Modules that know no plans and no losses."""
