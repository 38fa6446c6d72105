"""marketdata"""
