"""The vendors, one class each, speaking the domain's types and hiding their JSON."""
