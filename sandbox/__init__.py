"""The vendors in a box: Shopify, Airtable and Klaviyo in memory, and pages for people."""
