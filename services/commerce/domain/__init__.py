"""What commerce decides: prices, coupons, orders, invoices, carts. Pure."""
