"""What the RiskMonitor watches, one file a subject: a replica and a memory in, findings out. Pure; may import views and below."""
