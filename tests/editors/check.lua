-- What a user does with language servers in Neovim; says on stdout, in JSON, what came of it.
local function wait(what, condition)
  if not vim.wait(60000, condition, 20) then
    io.stdout:write(vim.json.encode({ waited_for = what, log = vim.lsp.log.get_filename() }), "\n")
    vim.cmd("cquit")
  end
end

local function attached(count)
  return function()
    local clients = vim.lsp.get_clients({ bufnr = 0 })
    return #clients == count and vim.iter(clients):all(function(client)
      return client.initialized
    end)
  end
end

local function go_to_definition()
  vim.cmd("edit shop.py")
  wait("the servers", attached(2))
  vim.fn.cursor(4, 1)
  vim.lsp.buf.definition()
  wait("the definition", function()
    return vim.fn.expand("%:t") == "stock.py"
  end)
  return vim.api.nvim_buf_get_name(0)
end

local function hovered()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= "" then
      return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), "\n")
    end
  end
end

local result = {}
vim.cmd("edit shop.py")
wait("the servers", attached(2))
wait("diagnostics", function()
  return #vim.diagnostic.get(0) > 0
end)
result.diagnostic = vim.diagnostic.get(0)[1].code

result.definition = go_to_definition()

vim.cmd("edit shop.py")
vim.fn.cursor(4, 1)
vim.lsp.buf.hover()
wait("what hovers", hovered)
result.hover = hovered()

vim.cmd("only")
vim.fn.cursor(1, 8)
vim.lsp.buf.definition()
wait("the library", function()
  return vim.fn.expand("%:t") == "os.py"
end)
wait("the same servers", attached(2))
result.library = vim.bo.readonly and #vim.lsp.get_clients() == 2
vim.cmd("edit shop.py")
vim.fn.cursor(4, 1)

vim.lsp.buf.rename("sought", { name = "pylsp" })
wait("the rename", function()
  return vim.fn.getline(4):find("sought")
end)
vim.lsp.buf.format({ name = "ruff", timeout_ms = 60000 })
vim.cmd("wall")

os.execute(vim.env.RESTART)
wait("the servers to end", attached(0))
vim.cmd("edit")
result.after_restart = go_to_definition()

io.stdout:write(vim.json.encode(result), "\n")
vim.cmd("qall")
