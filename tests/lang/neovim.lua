-- Drives Neovim as a person would, with the language server given in $SBXC on the folder $FOLDER, and prints what came
-- of it as JSON.
--   nvim --headless -u NONE -i NONE -c 'luafile tests/lang/neovim.lua'
local out = {}
local folder = os.getenv('FOLDER')
local function lines() return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') end
local function wait(what) return vim.wait(10000, what, 20) end
local function ask(method, params)
    local answers = vim.lsp.buf_request_sync(0, method, params, 10000) or {}
    for _, answer in pairs(answers) do
        return answer.result
    end
end
local function put(line, text) -- the cursor behind a piece of text
    local _, stop = vim.api.nvim_buf_get_lines(0, line - 1, line, false)[1]:find(text, 1, true)
    vim.api.nvim_win_set_cursor(0, { line, stop - 1 })
end

local function session()
    vim.cmd('edit ' .. folder .. '/user.sbx')
    local id = vim.lsp.start_client({ name = 'sbx', cmd = { os.getenv('SBXC'), '--lsp' }, root_dir = folder })
    vim.lsp.buf_attach_client(0, id)
    out.opened = wait(function() return #vim.diagnostic.get(0) > 0 end)
    local found = vim.diagnostic.get(0)[1] or {}
    out.finding = { line = found.lnum, column = found.col, message = found.message }

    -- Types what is missing: behind characters that are two units of UTF-16 and four bytes.
    local column = vim.api.nvim_buf_get_lines(0, 4, 5, false)[1]:find('1Mb', 1, true)
    vim.api.nvim_buf_set_text(0, 4, column, 4, column + 2, { 'MiB' })
    out.mended = wait(function()
        for _, other in ipairs(vim.diagnostic.get(0)) do
            if other.message:find('is not a unit', 1, true) then return false end
        end
        return true
    end)

    put(6, 'allow open')
    local params = vim.lsp.util.make_position_params(0, 'utf-16')
    params.position.character = params.position.character + 1
    local items = ask('textDocument/completion', params)
    out.completions = {}
    for _, item in ipairs(items and items.items or {}) do
        if vim.startswith(item.label, 'openat') then table.insert(out.completions, item.label) end
    end
    for _, item in ipairs(items and items.items or {}) do
        if item.label == 'openat2' then vim.lsp.util.apply_text_edits({ item.textEdit }, 0, 'utf-16') end
    end
    out.completed = vim.api.nvim_buf_get_lines(0, 5, 6, false)[1]

    put(6, 'openat2')
    local hover = ask('textDocument/hover', vim.lsp.util.make_position_params(0, 'utf-16'))
    out.hover = hover and hover.contents.value

    put(4, 'org.ceil')
    local place = vim.lsp.util.make_position_params(0, 'utf-16')
    local definition = ask('textDocument/definition', place)
    out.definition = definition and definition.uri
    place.newName = 'roof'
    local edit = ask('textDocument/rename', place)
    if edit then vim.lsp.util.apply_workspace_edit(edit, 'utf-16') end
    out.renamed = lines()
    vim.cmd('wall')

    local edits = ask('textDocument/formatting', vim.lsp.util.make_formatting_params({}))
    if edits then vim.lsp.util.apply_text_edits(edits, 0, 'utf-16') end
    out.formatted = lines()
    vim.cmd('wall')

    vim.lsp.stop_client(id)
    out.stopped = wait(function()
        local client = vim.lsp.get_client_by_id(id)
        return client == nil or client.is_stopped()
    end)
end

local good, problem = pcall(session)
if not good then out.problem = tostring(problem) end
local file = io.open(folder .. '/out.json', 'w')
file:write(vim.json and vim.json.encode(out) or vim.fn.json_encode(out))
file:close()
vim.cmd('qall!')
