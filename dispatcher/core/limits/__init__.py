"""What limits sending: the account's rate, allowances of a minute and a day, holds, shares of batches."""
