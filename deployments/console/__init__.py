"""The console: a web page for people, on the public API alone. Plain ES modules and CSS, without a build."""
